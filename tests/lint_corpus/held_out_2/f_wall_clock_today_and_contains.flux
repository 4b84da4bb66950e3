hosts = ["a", "b", "c"]

from(bucket: "telegraf")
    |> range(start: today()) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle" and contains(value: r.host, set: hosts)) // expect contains-filter:83
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "telegraf_1h")
