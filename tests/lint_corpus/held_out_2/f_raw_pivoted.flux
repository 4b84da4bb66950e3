import "influxdata/influxdb/schema"

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => r._field == "temperature" or r._field == "pressure")
    |> schema.fieldsAsCols() // expect raw-read:8
    |> sort(columns: ["_time"])
    |> yield()
