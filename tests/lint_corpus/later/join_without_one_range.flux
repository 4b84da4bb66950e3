left = from(bucket: "iot") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "air") |> mean()
right = from(bucket: "web") |> filter(fn: (r) => r._measurement == "hits") |> mean() // expect no-range:9

join(tables: {l: left, r: right}, on: ["site"])
