begin = time(v: "2024-06-01T00:00:00Z")

from(bucket: "iot")
  |> range(start: begin) // expect fixed-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "iot_1h")
