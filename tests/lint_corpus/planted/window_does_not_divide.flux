option task = {name: "odd", every: 1h}

from(bucket: "iot")
  |> range(start: -task.every)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 25m, fn: mean, createEmpty: false) // expect window-alignment:6
  |> to(bucket: "iot_25m")
