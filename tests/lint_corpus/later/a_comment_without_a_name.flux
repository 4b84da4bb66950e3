from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  // lint: ignore
  |> mean()
// expect-at 3:3 bad-ignore
