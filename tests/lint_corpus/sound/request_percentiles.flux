option task = {name: "nginx_p95", every: 5m, offset: 1m}

from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "nginx" and r._field == "request_time")
  |> aggregateWindow(every: 5m, fn: (column, tables=<-) => tables |> quantile(q: 0.95), createEmpty: false) // expect raw-read:6
  |> set(key: "stat", value: "p95")
  |> to(bucket: "web_5m")
