option task = {name: "disk_daily", every: 1d, offset: 30m}

from(bucket: "telegraf")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "disk" and r._field == "used_percent" and r.path !~ /^\/(snap|run)/)
  |> aggregateWindow(every: 1d, fn: last, createEmpty: false)
  |> to(bucket: "telegraf_1d")
