import "math"

rounded = (tables=<-) -> tables // expect syntax:23
    |> map(fn: (r) => ({r with _value: math.round(x: r._value)}))

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 5m, fn: max, createEmpty: false)
    |> rounded()
    |> to(bucket: "plant_5m")
