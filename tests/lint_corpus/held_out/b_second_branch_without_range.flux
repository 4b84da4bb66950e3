inside = from(bucket: "climate")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "temperature" and r.place == "inside")
    |> last()

outside = from(bucket: "climate") // expect no-range:11
    |> filter(fn: (r) => r._measurement == "temperature" and r.place == "outside")
    |> last()

union(tables: [inside, outside])
