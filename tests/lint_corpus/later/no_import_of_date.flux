from(bucket: "web")
  |> range(start: -1d)
  |> filter(fn: (r) => date.hour(t: r._time) > 8) // expect semantics:24, unpruned-filter:24
  |> count()
