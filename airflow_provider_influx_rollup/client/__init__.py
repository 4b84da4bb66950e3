"""InfluxDB over HTTP, without Airflow: requests, answers, retries, drivers."""
