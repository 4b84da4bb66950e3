option task = {name: "sevens", every: 1h}

step = 7m

from(bucket: "plant")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: step, fn: mean, createEmpty: false) // expect window-alignment:8
    |> to(bucket: "plant_5m")
