option task = {name: "t", every: 1h}

from(bucket: "web")
  // lint: ignore wall-clock-range - the source comes up to a day late
  |> range(start: -1d)
  |> filter(fn: (r) => r._measurement == "hits")
  |> aggregateWindow(every: 1h, fn: median, createEmpty: false) // lint: ignore raw-read - few hosts
  |> to(bucket: "web_1h")
