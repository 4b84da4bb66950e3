sites = ["berlin", "paris"]

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and contains(value: r.site, set: sites)) // expect contains-filter:52
  |> aggregateWindow(every: 1h, fn: mean)
