"""Partitions of Airflow 3.3 that are windows of a grid, on days of 23 and 25 hours too."""
