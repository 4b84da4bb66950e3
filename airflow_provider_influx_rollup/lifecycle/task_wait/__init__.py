"""The verb task_wait: wait until a task of InfluxDB has run for an interval."""
