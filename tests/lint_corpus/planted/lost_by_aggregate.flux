from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> mean() // expect lost-columns:6
  |> to(bucket: "iot_1h")
