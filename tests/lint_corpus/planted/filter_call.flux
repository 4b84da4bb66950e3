import "strings"

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => strings.hasPrefix(v: r.site, prefix: "b")) // expect unpruned-filter:24
  |> aggregateWindow(every: 1h, fn: mean)
