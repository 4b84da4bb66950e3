from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.site == "Düsseldorf 東京" and not (r.room == "a")) // expect unpruned-filter:54
  |> mean()
