// Hourly copies, all in one.
option task = {name: "all in one", cron: "0 * * * *"}

sites = ["north", "south"]

from(bucket: "plant_1h")
    |> range(start: -100m) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> filter(fn: (r) => contains(value: r.site, set: sites)) // expect contains-filter:26
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) // expect window-alignment:8
    |> to(bucket: "plant_1h") // expect reads-own-target:8

from(bucket: "plant")
    |> range(start: -1h)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> sum() // expect lost-columns:8
    |> to(bucket: "plant_1h")
