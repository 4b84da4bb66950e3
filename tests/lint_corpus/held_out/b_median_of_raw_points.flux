from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "http_response" and r._field == "response_time")
    |> aggregateWindow(every: 5m, fn: median, createEmpty: false) // expect raw-read:8
