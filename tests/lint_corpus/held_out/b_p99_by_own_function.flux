p99 = (tables=<-, column) => tables |> quantile(q: 0.99, column: column, method: "estimate_tdigest")

from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "http_response" and r._field == "response_time")
    |> aggregateWindow(every: 5m, fn: p99, createEmpty: false) // expect raw-read:8
