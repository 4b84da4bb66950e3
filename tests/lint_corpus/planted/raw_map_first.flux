from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "temperature")
  |> map(fn: (r) => ({r with _value: r._value * 1.8 + 32.0})) // expect raw-read:6
  |> aggregateWindow(every: 1h, fn: mean)
