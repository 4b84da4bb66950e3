from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "net" and r._field == "bytes_recv")
    |> group(columns: ["host"]) // expect raw-read:8
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)
    |> set(key: "_measurement", value: "net")
    |> set(key: "_field", value: "bytes_recv")
    |> to(bucket: "telegraf_1h")
