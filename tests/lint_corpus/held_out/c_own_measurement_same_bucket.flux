option task = {name: "presence", every: 10m}

from(bucket: "home")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "motion" and r._field == "count")
    |> aggregateWindow(every: 10m, fn: sum, createEmpty: false)
    |> set(key: "_measurement", value: "motion_10m")
    |> to(bucket: "home")
