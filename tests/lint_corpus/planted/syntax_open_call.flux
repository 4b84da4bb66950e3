from(bucket: "iot"
  |> range(start: -1h)
// expect-at 1:5 syntax
