from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: max, createEmpty: false)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") // expect lost-columns:6
  |> to(bucket: "iot_1h")
