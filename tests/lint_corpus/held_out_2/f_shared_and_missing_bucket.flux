flow = from(bucket: "plant") // expect shared-variable:1
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
total = flow
    |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
peak = flow
    |> aggregateWindow(every: 1d, fn: max, createEmpty: false)
    |> map(fn: (r) => ({r with _field: "flow_peak"}))

total |> to(bucket: "plant_1d")
peak |> to(bucket: "plant_peaks") // expect missing-bucket:20
