import "influxdata/influxdb"

from(bucket: "raw_telemetry")
  |> range(start: 2025-03-08T00:00:00Z, stop: 2025-03-09T00:00:00Z)
  |> filter(fn: (r) => r["_measurement"] == "sensor_readings")
  |> filter(fn: (r) => r["_field"] == "a \"b\" \x24{c}")
  |> filter(fn: (r) => r["site"] == "berlin" or r["site"] == "west \"2\"")
  |> filter(fn: (r) => r["line"] =~ /^$/)
  |> aggregateWindow(every: 3600000000000ns, offset: 0ns, fn: last, createEmpty: false, timeSrc: "_start")
  |> drop(columns: ["_start", "_stop", "_field"])
  |> set(key: "_measurement", value: "hourly, all")
  |> rename(columns: {_value: "a \"b\" \x24{c}_last"})
  |> influxdb.wideTo(bucket: "rollup_hourly")
  |> yield(name: "0:0")
