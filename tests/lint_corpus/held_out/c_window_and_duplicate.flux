option task = {name: "gusts", every: 1h}

from(bucket: "weather")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "wind" and r._field == "speed")
    |> window(every: 10m)
    |> mean()
    |> duplicate(column: "_stop", as: "_time")
    |> window(every: inf)
    |> to(bucket: "weather_10m")
