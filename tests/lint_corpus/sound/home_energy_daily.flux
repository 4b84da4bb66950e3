import "timezone"
option location = timezone.location(name: "Europe/Berlin")

from(bucket: "home")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "kWh" and r.entity_id == "meter_total" and r._field == "value")
  |> aggregateWindow(every: 1d, fn: last, timeSrc: "_start") // expect raw-read:6
  |> difference()
