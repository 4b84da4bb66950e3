import "array"

array.from(
    rows: [
        {_time: 2024-01-01T00:00:00Z, _measurement: "tariff", _field: "cents", _value: 31.5},
        {_time: 2024-07-01T00:00:00Z, _measurement: "tariff", _field: "cents", _value: 29.0},
    ],
)
    |> to(bucket: "plant")
