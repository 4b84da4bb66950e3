tidy = (tables=<-) => tables
    |> drop(columns: ["_start", "_stop", "_measurement"]) // expect lost-columns:8

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)
    |> tidy()
    |> to(bucket: "plant_5m")
