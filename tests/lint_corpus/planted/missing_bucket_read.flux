from(bucket: "iott") // expect missing-bucket:14
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> mean()
