"""Files of archives: local, S3, GCS, ABFS. No Airflow."""
