agg = (tables=<-, fn, as) =>
    tables
        |> aggregateWindow(every: 5m, fn: fn, createEmpty: false)
        |> set(key: "agg", value: as)

cpu = // expect shared-variable:1
    from(bucket: "telegraf")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "cpu")
        |> filter(fn: (r) => r._field == "usage_user")

union(
    tables: [
        cpu |> agg(fn: mean, as: "mean"),
        // the peak
        cpu |> agg(fn: max, as: "max"),
    ],
)
    |> to(bucket: "telegraf_1h")
