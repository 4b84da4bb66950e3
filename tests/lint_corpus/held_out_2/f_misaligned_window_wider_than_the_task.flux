option task = {name: "days every ten minutes", every: 10m}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle")
    |> aggregateWindow(fn: mean, createEmpty: false, every: 1h) // expect window-alignment:8
    |> to(bucket: "telegraf_1h")
