option now = () => 2025-01-01T00:00:00Z // expect sets-bound-name:1

from(bucket: "iot") |> range(start: -1h) |> mean()
