option task = {name: "cpu 1h", every: 1h, offset: 5m}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "cpu" and r.cpu == "cpu-total")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "telegraf_1h")
