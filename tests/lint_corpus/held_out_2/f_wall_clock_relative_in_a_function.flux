lastHours = (tables=<-, hours=-3h) =>
    tables
        |> range(start: hours) // expect wall-clock-range:12

from(bucket: "telegraf")
    |> lastHours()
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "telegraf_1h")
