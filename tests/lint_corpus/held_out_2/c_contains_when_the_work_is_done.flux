hosts = ["a", "b"]

from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> filter(fn: (r) => contains(value: r.host, set: hosts))
    |> to(bucket: "telegraf_1h")
