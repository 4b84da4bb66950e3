limits = {low: 10.0, high: 90.0}

clip = (tables=<-, below) => tables
    |> filter(fn: (r) => r._value > below
        // The upper end came later.
        and r._value < above) // expect semantics:24

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> clip(below: limits.low)
    |> to(bucket: "plant_1h")
