"""What the verbs about tasks of InfluxDB share."""
