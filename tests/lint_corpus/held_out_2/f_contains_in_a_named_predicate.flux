wanted = ["north", "south"]
isWanted = (r) =>
    r._measurement == "boiler" and r._field == "temperature"
        and not contains(set: wanted, value: r.site) // expect contains-filter:17

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: isWanted)
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
