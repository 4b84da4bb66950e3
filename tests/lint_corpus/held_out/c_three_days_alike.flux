today = from(bucket: "shop")
    |> range(start: -1d)
    |> filter(fn: (r) => r._measurement == "orders" and r._field == "amount")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)

before = from(bucket: "shop")
    |> range(start: -8d, stop: -7d)
    |> filter(fn: (r) => r._measurement == "orders" and r._field == "amount")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)
    |> timeShift(duration: 7d)

union(tables: [today, before])
