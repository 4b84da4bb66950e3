import "influxdata/influxdb/monitor"

from(bucket: "iot")
    |> range(start: -30m)
    |> filter(fn: (r) => r._measurement == "heartbeat" and r._field == "uptime")
    |> monitor.deadman(t: v.timeRangeStart)
    |> filter(fn: (r) => r.dead)
