from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "kwh")
    |> spread() // expect raw-read:8
    |> duplicate(column: "_stop", as: "_time")
    |> to(bucket: "plant_1d")
