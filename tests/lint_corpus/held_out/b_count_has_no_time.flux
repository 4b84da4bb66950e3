option task = {name: "events per day", every: 1d}

from(bucket: "events")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "login")
    |> count() // expect lost-columns:8
    |> to(bucket: "events_daily")
