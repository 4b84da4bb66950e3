option task = {name: "greenhouse 10m", every: 1h}
option v = {timeRangeStart: -1d, timeRangeStop: now(), windowPeriod: 10m} // expect sets-bound-name:1

from(bucket: "greenhouse")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r["_field"] == "value")
    |> filter(fn: (r) => r["downsample"] == "0")
    |> aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)
    |> to(bucket: "greenhouse_10m")
