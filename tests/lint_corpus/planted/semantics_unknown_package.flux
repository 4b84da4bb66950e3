import "influxdata/influxdb/skema" // expect semantics:1

from(bucket: "iot") |> range(start: -1h)
