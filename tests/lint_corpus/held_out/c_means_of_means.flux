option task = {name: "second tier", every: 1d}

from(bucket: "telegraf_1h")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "cpu")
    |> aggregateWindow(every: 1d, fn: mean, createEmpty: false)
    |> to(bucket: "telegraf_1d")
