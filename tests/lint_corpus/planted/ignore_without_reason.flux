from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  // lint: ignore raw-read
  |> aggregateWindow(every: 1h, fn: median, createEmpty: false) // expect raw-read:6
// expect-at 4:3 bad-ignore
