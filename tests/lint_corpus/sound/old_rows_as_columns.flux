import "influxdata/influxdb/v1"

from(bucket: "telegraf")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "system" and r._field =~ /^load/)
  |> aggregateWindow(every: 5m, fn: mean)
  |> v1.fieldsAsCols()
