option task = {name: "site_mean", every: 1h}

every = task.every

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r.site == "berlin")
  |> aggregateWindow(every: every, fn: mean, createEmpty: false)
  |> to(bucket: "iot_1h")
