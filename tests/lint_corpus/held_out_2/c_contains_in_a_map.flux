import "date"

night = [0, 1, 2, 3, 4, 5]

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({r with part: if contains(value: date.hour(t: r._time), set: night) then "night" else "day"}))
    |> to(bucket: "plant_1h")
