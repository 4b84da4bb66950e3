from(bucket: "iot")
  |> range(start: v.timeRangeStart, until: v.timeRangeStop) // expect semantics:44
