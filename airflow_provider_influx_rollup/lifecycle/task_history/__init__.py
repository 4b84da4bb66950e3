"""The verb task_history: what a task of InfluxDB did."""
