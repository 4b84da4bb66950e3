cfg = {
    source: "plant",
    target: "plant_1hour", // renamed last year // expect missing-bucket:13
}

from(bucket: cfg.source)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: cfg.target)
