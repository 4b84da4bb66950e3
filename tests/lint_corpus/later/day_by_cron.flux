option task = {name: "a", cron: "5 0 * * *"}

from(bucket: "iot")
  |> range(start: -1d) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1d, fn: mean, createEmpty: false)
  |> to(bucket: "iot_1d")
