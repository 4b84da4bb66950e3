"""The verb task_adopt: declare what a task of InfluxDB computes, and prove that it is the same."""
