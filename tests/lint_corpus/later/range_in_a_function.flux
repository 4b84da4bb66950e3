lastHour = (tables=<-) => tables |> range(start: -1h)

from(bucket: "iot")
  |> lastHour()
  |> filter(fn: (r) => r._measurement == "air")
  |> mean()
