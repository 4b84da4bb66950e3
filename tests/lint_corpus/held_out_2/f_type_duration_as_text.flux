option task = {
    name: "boiler five minutes",
    every: 5m,
}

from(bucket: "plant")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => r._field == "temperature")
    |> aggregateWindow(every: "5m", fn: mean, createEmpty: false) // expect semantics:31
    |> to(bucket: "plant_5m")
