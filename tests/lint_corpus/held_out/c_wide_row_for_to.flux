option task = {name: "levels", every: 15m}

from(bucket: "tanks")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "tank" and (r._field == "level" or r._field == "temp"))
    |> aggregateWindow(every: 15m, fn: mean, createEmpty: false)
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> to(bucket: "tanks_15m", tagColumns: ["site"], fieldFn: (r) => ({level: r.level, temp: r.temp}))
