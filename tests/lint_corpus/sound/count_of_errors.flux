option task = {name: "log_errors", every: 10m}

from(bucket: "logs")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "syslog" and r._field == "message" and r.severity == "err")
  |> aggregateWindow(every: 10m, fn: count, createEmpty: false)
  |> set(key: "_field", value: "errors")
  |> to(bucket: "logs_10m")
