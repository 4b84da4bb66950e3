"""The command line ``influx-rollup``; it runs without Airflow."""
