import "influxdata/influxdb/monitor"

from(bucket: "iot")
  |> range(start: -1d)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2")
  |> last()
  |> monitor.deadman(t: -15m)
