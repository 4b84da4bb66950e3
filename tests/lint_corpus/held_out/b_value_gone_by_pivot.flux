option task = {name: "apparent power", every: 10m}

from(bucket: "energy")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "phase")
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") // expect lost-columns:8 raw-read:8
    |> aggregateWindow(every: 10m, fn: mean, createEmpty: false)
    |> to(bucket: "energy_10m")
