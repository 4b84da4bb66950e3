import "date"
option task = {name: "truncated", every: 1h}

stop = date.truncate(t: now(), unit: 1h)
start = date.sub(from: stop, d: 1h)

from(bucket: "iot")
  |> range(start: start, stop: stop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> to(bucket: "iot_1h")
