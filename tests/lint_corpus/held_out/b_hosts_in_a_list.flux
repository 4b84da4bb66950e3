hosts = ["web-1", "web-2", "web-3"]

from(bucket: "telegraf")
    |> range(start: -30m)
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_user")
    |> filter(fn: (r) => contains(value: r.host, set: hosts)) // expect contains-filter:26
    |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)
