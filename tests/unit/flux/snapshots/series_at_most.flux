import "influxdata/influxdb"

influxdb.cardinality(bucket: "raw_telemetry", start: 2025-03-08T00:00:00Z, stop: 2025-03-09T00:00:00Z, predicate: (r) => r._measurement == "sensor_readings")
