"""The verb task_run: run a task of InfluxDB for an interval."""
