option v = {timeRangeStart: -1h, timeRangeStop: now()} // expect sets-bound-name:1

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> mean()
