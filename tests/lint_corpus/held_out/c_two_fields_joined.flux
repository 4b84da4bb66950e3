used = from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "mem" and r._field == "used")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)

total = from(bucket: "telegraf")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "mem" and r._field == "total")
    |> aggregateWindow(every: 5m, fn: mean, createEmpty: false)

join(tables: {used: used, total: total}, on: ["_time", "host"])
    |> map(fn: (r) => ({_time: r._time, host: r.host, _value: r._value_used / r._value_total * 100.0}))
