import "influxdata/influxdb/schema"

schema.tagValues(bucket: "iot", tag: "site", start: -30d)
