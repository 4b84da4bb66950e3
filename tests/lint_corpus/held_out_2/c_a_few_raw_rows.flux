from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> sort(columns: ["_time"], desc: true) // expect raw-read:8
    |> limit(n: 20)
