import "date"

option task = {name: "labels", cron: "10 * * * *"}

from(bucket: "labels")
    |> range(start: date.truncate(t: -1h, unit: 1h), stop: date.truncate(t: now(), unit: 1h))
    |> filter(fn: (r) => r["_measurement"] == "shelf" and r["_field"] == "temp")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> set(key: "_measurement", value: "shelf_temp")
    |> to(bucket: "labels_1h")
