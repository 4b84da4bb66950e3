from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  // lint: ignore raw-reads - few points
  |> quantile(q: 0.9) // expect raw-read:6
// expect-at 3:3 bad-ignore
