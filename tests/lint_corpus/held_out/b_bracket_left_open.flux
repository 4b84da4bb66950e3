from(bucket: "office")
    |> range(start: -6h)
    |> filter(fn: (r) => r._measurement == "co2" and (r.room == "a" or r.room == "b") // expect syntax:14
    |> mean()
