from(bucket: "office")
    |> range(start: -6h)
    |> filter(fn: (r) => r._measurement = "co2") // expect syntax:41
    |> mean()
