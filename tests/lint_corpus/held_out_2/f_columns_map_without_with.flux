from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "kwh")
    |> aggregateWindow(every: 1h, fn: last, createEmpty: false)
    |> map( // expect lost-columns:8
        fn: (r) => ({
            _time: r._time,
            _measurement: "meter",
            // _field: "kwh",
            _value: r._value * 3.6,
        }),
    )
    |> to(bucket: "plant_1h")
