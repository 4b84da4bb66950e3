from(bucket: "plant")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "machine" and r._field == "state")
  |> stateDuration(fn: (r) => r._value == "running", column: "running", unit: 1s) // expect raw-read:6
  |> max(column: "running")
