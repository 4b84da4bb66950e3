option task = {name: "hourly, five past", cron: "5 * * * *"}

from(bucket: "plant")
    |> range(start: -1h) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
