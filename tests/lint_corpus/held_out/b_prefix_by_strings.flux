import "strings"

from(bucket: "telegraf")
    |> range(start: -30m)
    |> filter(fn: (r) => r._measurement == "docker_container_cpu")
    |> filter(fn: (r) => strings.hasPrefix(v: r.container_name, prefix: "app_")) // expect unpruned-filter:26
    |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)
