import "date"
option task = {name: "d", every: 1d}

today = date.truncate(t: now(), unit: 1d)

from(bucket: "web")
  |> range(start: date.add(d: -1d, to: today), stop: today)
  |> filter(fn: (r) => r._measurement == "hits")
  |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
  |> to(bucket: "web_1d")
