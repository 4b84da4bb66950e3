option task = {name: "shifted", every: 1h}

from(bucket: "plant")
    |> range(start: -1h)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> window(every: 1h, offset: 10m) // expect window-alignment:8
    |> sum()
    |> duplicate(column: "_stop", as: "_time")
    |> window(every: inf)
    |> to(bucket: "plant_1h")
