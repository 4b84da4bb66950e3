option task = {name: "pumps", cron: "0 * * * *"}

stop = date.truncate(t: now(), unit: 1h) // expect semantics:8

from(bucket: "plant")
    |> range(start: -1h)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)
    |> to(bucket: "plant_1h")
