hourly = (field, fn) =>
    from(bucket: "iot")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "air" and r._field == field)
        |> aggregateWindow(every: 1h, fn: fn, createEmpty: false)

hourly(field: "pm25", fn: mean) |> to(bucket: "air_1h")
hourly(field: "pm10", fn: max) |> to(bucket: "air_1h")
