option task = {every: 1h, name: "with some of the hour before"}

from(bucket: "plant")
    |> range(start: -90m) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false) // expect window-alignment:8
    |> to(bucket: "plant_1h")
