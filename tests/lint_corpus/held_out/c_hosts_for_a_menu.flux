import "influxdata/influxdb/schema"

schema.tagValues(bucket: "telegraf", tag: "host", start: -7d)
