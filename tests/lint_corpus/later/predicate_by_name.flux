hosts = ["a", "b"]
isOurs = (r) => contains(value: r.host, set: hosts) // expect contains-filter:17

from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: isOurs)
  |> aggregateWindow(every: 1h, fn: sum)
