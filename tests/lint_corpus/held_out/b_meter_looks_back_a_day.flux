option task = {name: "meter hourly", every: 1h}

from(bucket: "meter_live")
    |> range(start: -28h) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "state" and r._field == "energy")
    |> aggregateWindow(every: 1h, fn: last, createEmpty: false)
    |> set(key: "_measurement", value: "hourly")
    |> to(bucket: "meter_hourly")
