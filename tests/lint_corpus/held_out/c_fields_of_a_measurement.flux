import "influxdata/influxdb/schema"

schema.measurementFieldKeys(bucket: "telegraf", measurement: "cpu")
