"""The demo: a DAG, backfilled over telemetry on a real InfluxDB, and the proof that its result is right."""
