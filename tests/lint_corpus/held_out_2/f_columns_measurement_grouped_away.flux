from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "net" and r._field == "bytes_recv")
    |> group(columns: ["host", "_field"]) // expect raw-read:8
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false) // expect lost-columns:8
    |> to(bucket: "telegraf_1h")
