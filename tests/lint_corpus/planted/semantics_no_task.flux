from(bucket: "iot")
  |> range(start: -task.every) // expect semantics:20
  |> mean()
