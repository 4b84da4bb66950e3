option task = {name: "settle", every: 1h}

from(bucket: "iot")
    |> range(start: -1h, stop: -5m) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "water" and r._field == "litres")
    |> aggregateWindow(every: 5m, fn: sum, createEmpty: false)
    |> to(bucket: "water_5m")
