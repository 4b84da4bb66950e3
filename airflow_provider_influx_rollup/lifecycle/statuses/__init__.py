"""Statuses of InfluxDB's checks."""
