from(bucket: 'plant') // expect syntax:14
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
