"""A real InfluxDB 2 server for the demo and the tests: find or build one, start it, stop it. Standard library only."""
