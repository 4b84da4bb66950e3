import m "math"

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)
    |> map(
        fn: (r) => ({r with
            _value: math.abs(x: r._value), // expect semantics:21
        }),
    )
    |> to(bucket: "plant_5m")
