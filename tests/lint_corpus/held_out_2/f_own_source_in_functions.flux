store = (tables=<-, bucket) => tables
    |> to(bucket: bucket) // expect reads-own-target:8
read = (bucket, m, f) => from(bucket: bucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == m and r._field == f)

read(bucket: "plant", m: "pump", f: "flow")
    |> aggregateWindow(every: 5m, fn: sum, createEmpty: false)
    |> store(bucket: "plant")
