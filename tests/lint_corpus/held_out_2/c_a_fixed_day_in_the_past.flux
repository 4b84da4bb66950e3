day = {start: 2024-03-10T00:00:00Z, stop: 2024-03-11T00:00:00Z}

from(bucket: "plant")
    |> range(start: day.start, stop: day.stop) // expect fixed-range:8
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
