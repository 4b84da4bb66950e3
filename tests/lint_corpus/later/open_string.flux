from(bucket: "web)
  |> range(start: -1d)
// expect-at 1:14 syntax
