option task = {name: "five minutes, hourly", every: 1h}

from(bucket: "plant")
    |> range(start: -task.every)
    |> filter(fn: (r) => r["_measurement"] == "boiler")
    |> filter(fn: (r) => r["_field"] == "temperature" or r["_field"] == "pressure")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)
    |> to(bucket: "plant_5m")
