option task = {name: "mem_10m", every: 10m}

from(bucket: "telegraf")
  |> range(start: -task.every)
  |> filter(fn: (r) => r._measurement == "mem")
  |> filter(fn: (r) => r._field == "used_percent" or r._field == "available_percent")
  |> aggregateWindow(every: 10m, fn: max, createEmpty: false)
  |> to(bucket: "telegraf_10m")
