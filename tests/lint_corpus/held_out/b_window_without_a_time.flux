option task = {name: "frames", every: 1h}

from(bucket: "net")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "wifi" and r._field == "retries")
    |> window(every: 10m)
    |> sum() // expect lost-columns:8
    |> to(bucket: "net_10m")
