import "experimental"
option task = {name: "sub", every: 1h}

from(bucket: "iot")
  |> range(start: experimental.subDuration(from: now(), d: 90m)) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "iot_1h")
