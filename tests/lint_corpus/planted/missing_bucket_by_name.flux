source = "nowhere" // expect missing-bucket:10

from(bucket: source)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> mean()
