option task = {name: "mirror", every: 5m}

from(bucket: "edge")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "plc")
    |> to(bucket: "edge_copy", host: "http://localhost:8086", org: "central", token: "t")
