from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "net")
    |> aggregateWindow(every: 1m, fn: max, createEmpty: false)
    |> filter(fn: (r) => r.interface == "eth0") // expect late-filter:8
