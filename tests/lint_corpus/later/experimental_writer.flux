import ex "experimental"
option task = {name: "e", every: 1h}

from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "hits")
  |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> ex.to(bucket: "web") // expect reads-own-target:6
