option task = {name: "requests", every: 5m}

from(bucket: "web")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "nginx" and r._field == "requests")
    |> group() // expect raw-read:8
    |> aggregateWindow(every: 5m, fn: sum, createEmpty: false) // expect lost-columns:8
    |> to(bucket: "web_5m")
