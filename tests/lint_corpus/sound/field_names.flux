import "influxdata/influxdb/schema"

schema.measurementFieldKeys(bucket: "iot", measurement: "air")
