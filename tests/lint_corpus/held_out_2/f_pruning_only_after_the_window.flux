from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> aggregateWindow(every: 1h, fn: max, createEmpty: false)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature") // expect late-filter:8
    |> to(bucket: "plant_1h")
