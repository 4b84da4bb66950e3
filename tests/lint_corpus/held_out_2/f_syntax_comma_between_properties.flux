option task = {name: "boiler hourly", every: 1h offset: 5m} // expect syntax:49

from(bucket: "plant")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
