option task = {name: "ping", every: 1h, offset: 30s}

from(bucket: "telegraf")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "ping" and r._field == "average_response_ms")
    |> aggregateWindow(every: 7m, fn: max, createEmpty: false) // expect window-alignment:8
    |> to(bucket: "ping_7m")
