option task = {name: "packets", every: 1h}

from(bucket: "net")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "iface" and r._field == "drops")
    |> reduce(fn: (r, accumulator) => ({total: accumulator.total + r._value}), identity: {total: 0}) // expect lost-columns:8 raw-read:8
    |> to(bucket: "net_1h")
