"""Assets of Airflow (datasets on 2.11) that stand for measurements of InfluxDB and for archives."""
