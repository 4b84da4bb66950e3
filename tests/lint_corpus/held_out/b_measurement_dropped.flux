option task = {name: "signal", every: 1h}

from(bucket: "iot")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "lora" and r._field == "rssi")
    |> aggregateWindow(every: 1h, fn: min, createEmpty: false)
    |> drop(columns: ["_start", "_stop", "_measurement"]) // expect lost-columns:8
    |> to(bucket: "lora_1h")
