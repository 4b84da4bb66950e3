from(bucket: "iot")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "noise" and r._field == "db")
    |> aggregateWindow(every: 1h, fn: median, createEmpty: false) // lint: ignore raw-read
// expect-at 4:67 bad-ignore
// expect-at 4:8 raw-read
