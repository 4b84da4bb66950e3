indoor =
    from(bucket: "plant")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "room" and r._field == "temperature")
        |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
outdoor =
    from(bucket: "outdoors") // expect missing-bucket:18
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "room" and r._field == "outside")
        |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)

union(tables: [indoor, outdoor])
    |> to(bucket: "plant_1h")
