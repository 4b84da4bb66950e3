read = (where="plnt", what) => // expect missing-bucket:15
    from(bucket: where)
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == what)
        |> filter(fn: (r) => r._field == "temperature")

read(what: "boiler")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
