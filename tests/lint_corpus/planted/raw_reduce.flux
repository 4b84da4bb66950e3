from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2")
  |> window(every: 1h) // expect raw-read:6
  |> reduce(identity: {sum: 0.0}, fn: (r, accumulator) => ({sum: r._value + accumulator.sum}))
