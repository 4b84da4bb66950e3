option v = {timeRangeStart: -1d, timeRangeStop: now()} // expect sets-bound-name:1
option task = {name: "daily", every: 1d}

from(bucket: "plant_1h")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement =~ /^(boiler|pump)$/)
    |> filter(fn: (r) => r._field == "temperature" or r._field == "flow")
    |> aggregateWindow(every: 1d, fn: max, createEmpty: false)
    |> to(bucket: "plant_1d")
