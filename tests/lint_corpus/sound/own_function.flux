hourly = (bucket, measurement) =>
  from(bucket: bucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == measurement)
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)

hourly(bucket: "iot", measurement: "air")
