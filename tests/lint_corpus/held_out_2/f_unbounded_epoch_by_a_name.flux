beginning = 1970-01-01T00:00:00Z

from(bucket: "plant")
    |> range(start: beginning, stop: v.timeRangeStop) // expect fixed-range:8
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
    |> to(bucket: "plant_1d")
