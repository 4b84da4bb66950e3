option task = {name: "cpu", every: 1h}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_idle")
    |> aggregateWindow(every: task.every, offset: task.offset, fn: mean, createEmpty: false) // expect semantics:51
    |> to(bucket: "telegraf_1h")
