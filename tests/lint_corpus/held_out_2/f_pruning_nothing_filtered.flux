option task = {name: "everything", every: 1h, offset: 1m}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> aggregateWindow(every: 1h, fn: last, createEmpty: false)
    |> to(bucket: "telegraf_1h")
