from(bucket: "telegraf") |> range(start: 0) |> filter(fn: (r) => r._measurement == "mem" and r._field == "used") // expect unbounded-range:29
