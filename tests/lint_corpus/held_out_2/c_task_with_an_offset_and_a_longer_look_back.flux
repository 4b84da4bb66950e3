// The last three hours again, for late points.
option task = {name: "boiler hourly", every: 1h, offset: 7m}

from(bucket: "plant")
    |> range(start: -3h) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
