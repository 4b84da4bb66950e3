src = "plant_1h"
dst = src

option task = {name: "smooth", every: 1h, offset: 10m}

from(bucket: src)
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: dst) // expect reads-own-target:8
