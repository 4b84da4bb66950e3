import "strings"

from(bucket: "logs")
  |> range(start: -15m)
  |> filter(fn: (r) => r._measurement == "syslog" and r._field == "message" and exists r.appname)
  |> map(fn: (r) => ({_time: r._time, line: "${r.appname}: ${strings.trimSpace(v: r._value)}"}))
