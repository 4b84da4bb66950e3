from(bucket: "iot")
  |> range(start: -1h)
  |> map(fn: (r) => ({r with _value: math.sqrt(x: r._value)})) // expect semantics:38
