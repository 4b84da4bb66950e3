"""The verb task_deploy: bring a task into InfluxDB, as declared."""
