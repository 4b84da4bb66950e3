"""The windows page in Airflow's UI: one JSON API and one front end for Airflow 2.11 and 3.x."""
