from(bucket: "web")
  |> range(start: -7d)
  |> filter(fn: (r) => r._measurement == "visits" and r._field == "count")
  |> hourSelection(start: 8, stop: 18) // expect raw-read:6
  |> sum()
