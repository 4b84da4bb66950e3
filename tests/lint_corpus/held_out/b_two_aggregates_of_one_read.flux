option task = {name: "energy", every: 1h}

data = from(bucket: "energy") // expect shared-variable:1
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "watts")

data
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> set(key: "_field", value: "watts_mean")
    |> to(bucket: "energy_1h")

data
    |> aggregateWindow(every: 1h, fn: max, createEmpty: false)
    |> set(key: "_field", value: "watts_max")
    |> to(bucket: "energy_1h")
