option task = {name: "import", every: 1h}

from(bucket: "solar")
    |> range(start: 2023-05-01T00:00:00Z, stop: 2023-05-02T00:00:00Z) // expect fixed-range:8
    |> filter(fn: (r) => r._measurement == "inverter")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "solar_hourly")
