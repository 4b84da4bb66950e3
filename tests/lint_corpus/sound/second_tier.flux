option task = {name: "daily_from_hourly", every: 1d, offset: 1h}

from(bucket: "iot_1h")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field != "raw")
  |> aggregateWindow(every: 1d, fn: max, createEmpty: false)
  |> to(bucket: "iot_1d")
