from(bucket: "iot")
  |> rnge(start: -1h) // expect semantics:6
  |> filtr(fn: (r) => r._measurement == "air") // expect semantics:6
