hourly = (bucket) => from(bucket: bucket) |> range(start: v.timeRangeStart) |> mean()

hourly(bucket: "iott") // expect missing-bucket:16
