since = (tables=<-, start=0) => tables
    |> range(start: start, stop: v.timeRangeStop) // expect fixed-range:8

from(bucket: "plant")
    |> since()
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
    |> to(bucket: "plant_1d")
