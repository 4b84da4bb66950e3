option task = {name: "often", every: 10m}

from(bucket: "iot")
  |> range(start: -1h) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) // expect window-alignment:6
  |> to(bucket: "iot_1h")
