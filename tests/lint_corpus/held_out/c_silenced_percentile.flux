from(bucket: "web")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "nginx" and r._field == "latency")
    // lint: ignore raw-read - one frontend, a point a second
    |> aggregateWindow(every: 5m, fn: (tables=<-, column) => tables |> quantile(q: 0.95, column: column), createEmpty: false)
