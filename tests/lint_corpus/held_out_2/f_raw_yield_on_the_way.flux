from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "pressure")
    |> yield(name: "seen") // expect raw-read:8
    |> aggregateWindow(every: 5m, fn: max, createEmpty: false)
    |> yield(name: "highest")
