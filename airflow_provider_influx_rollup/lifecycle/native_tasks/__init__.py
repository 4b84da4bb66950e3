"""Shared parts of the verbs about tasks of InfluxDB."""
