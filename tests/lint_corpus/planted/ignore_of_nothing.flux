from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  // lint: ignore raw-read - few points
  |> mean()
// expect-at 3:3 bad-ignore (server)
