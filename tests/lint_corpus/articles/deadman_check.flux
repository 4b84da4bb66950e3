// Deadman check: flag any hour in which the rollup wrote no data.
// A _value of 1 marks a missing window for downstream alerting to consume.
from(bucket: "rollup_hourly")
    |> range(start: -2h) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "sensor_readings")
    |> aggregateWindow(every: 1h, fn: count, createEmpty: true)
    |> map(fn: (r) => ({r with _field: "missing_data", _value: if exists r._value and r._value > 0 then 0 else 1}))
    |> to(bucket: "_monitoring")
