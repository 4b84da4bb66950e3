option task = {name: "thin out", every: 1d}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "disk")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "telegraf", org: "home") // expect reads-own-target:8 semantics:8 (server)
