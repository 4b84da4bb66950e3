import "date"

option task = {name: "five past", cron: "5 * * * *"}

stop = date.truncate(t: now(), unit: 1h)
start = date.sub(from: stop, d: 1h)

from(bucket: "plant")
    |> range(start: start, stop: stop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
