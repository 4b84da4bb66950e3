pumps = () => from(bucket: "plant")

pumps()
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false)
    |> yield(name: "hours")
pumps() // expect no-range:1
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> last()
    |> yield(name: "last")
