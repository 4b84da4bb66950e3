import "date"

option task = {name: "water per day", cron: "30 1 * * *"}

from(bucket: "water")
    |> range(start: date.truncate(t: -1d, unit: 1d), stop: date.truncate(t: now(), unit: 1d))
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "litres")
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
    |> to(bucket: "water_daily")
