data = () =>
    from(bucket: "plant")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")

data() |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) |> set(key: "agg", value: "mean") |> to(bucket: "plant_1h")
data() |> aggregateWindow(every: 1h, fn: max, createEmpty: false) |> set(key: "agg", value: "max") |> to(bucket: "plant_1h")
