// from(bucket: "nowhere") |> range(start: 0) |> to(bucket: "plant")
note = "range(start: 0) |> contains(x)" // a text, no call

from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    // |> filter(fn: (r) => contains(value: r.site, set: sites))
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> set(key: "note", value: note)
    |> to(bucket: "plant_1h")
