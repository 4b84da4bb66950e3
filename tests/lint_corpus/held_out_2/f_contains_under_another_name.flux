among = contains

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => among(value: r._field, set: ["temperature", "pressure"])) // expect contains-filter:26
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)
    |> to(bucket: "plant_5m")
