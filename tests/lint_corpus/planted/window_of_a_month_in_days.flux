option task = {name: "month", every: 30d}

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> window(every: 1mo) // expect window-alignment:6
  |> mean()
  |> duplicate(column: "_stop", as: "_time")
  |> to(bucket: "iot_1mo")
