until = now()

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: until)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
