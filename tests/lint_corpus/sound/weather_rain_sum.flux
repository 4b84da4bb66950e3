option task = {name: "rain", every: 1d}

from(bucket: "weather")
  |> range(start: -task.every)
  |> filter(fn: (r) => r._measurement == "rain" and r._field == "mm")
  |> sum()
  |> duplicate(column: "_stop", as: "_time")
  |> to(bucket: "weather_daily")
