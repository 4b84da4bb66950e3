from(bucket: "telegraf")
    |> range(start: -1h)
    |> filter(fn: (r) => r._measurement == "mem")
    |> aggregateWindow(every: 5m, func: mean, createEmpty: false) // expect semantics:8 semantics:41
