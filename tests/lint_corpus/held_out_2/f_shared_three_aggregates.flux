option task = {name: "three of a kind", every: 1h}

data = from(bucket: "plant") // expect shared-variable:1
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")

data |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) |> set(key: "agg", value: "mean") |> to(bucket: "plant_1h")
data |> aggregateWindow(every: 1h, fn: min, createEmpty: false) |> set(key: "agg", value: "min") |> to(bucket: "plant_1h")
data |> aggregateWindow(every: 1h, fn: max, createEmpty: false) |> set(key: "agg", value: "max") |> to(bucket: "plant_1h")
