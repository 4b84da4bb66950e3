rates = from(bucket: "market") // expect no-range:9
  |> filter(fn: (r) => r._measurement == "rate")

rates |> last()
