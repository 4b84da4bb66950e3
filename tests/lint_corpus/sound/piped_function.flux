asDaily = (tables=<-) => tables |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)

from(bucket: "shop")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "orders" and r._field == "amount")
  |> asDaily()
