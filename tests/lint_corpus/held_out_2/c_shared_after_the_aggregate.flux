hourly =
    from(bucket: "telegraf")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle")
        |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)

hourly |> to(bucket: "telegraf_1h")
hourly |> filter(fn: (r) => r._value < 5.0) |> yield(name: "busy")
