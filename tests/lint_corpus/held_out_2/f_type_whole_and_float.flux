factor = 1.8

shift = 32
from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> map(fn: (r) => ({r with _value: r._value * factor + shift})) // expect semantics:60
    |> to(bucket: "plant_1h")
