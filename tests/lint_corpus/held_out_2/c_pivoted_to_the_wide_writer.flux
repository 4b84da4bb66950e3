import x "experimental"

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => r._field == "temperature" or r._field == "pressure")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> x.to(bucket: "plant_1h")
