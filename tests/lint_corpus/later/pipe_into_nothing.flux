from(bucket: "web")
  |> range(start: -1d)
  |>
// expect-at 3:3 syntax
