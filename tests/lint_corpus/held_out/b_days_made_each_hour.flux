option task = {name: "solar per day", every: 1h}

from(bucket: "solar")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "inverter" and r._field == "ac_power")
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false) // expect window-alignment:8
    |> to(bucket: "solar_daily")
