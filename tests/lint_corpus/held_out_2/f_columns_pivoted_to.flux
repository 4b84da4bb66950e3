import "influxdata/influxdb/schema"

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => r._field == "temperature" or r._field == "pressure")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)
    |> schema.fieldsAsCols() // expect lost-columns:8
    |> to(bucket: "plant_5m")
