from(bucket: "web")
  |> range(start: -1d)
  |> map(fn: (r) => ({r with a: 1)) // expect syntax:34
