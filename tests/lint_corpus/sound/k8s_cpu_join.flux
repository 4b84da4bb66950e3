import "join"

limits =
  from(bucket: "k8s")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "limits" and r._field == "cpu")
    |> group(columns: ["pod_name"])
    |> max()
usage =
  from(bucket: "k8s")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "usage" and r._field == "cpu")
    |> group(columns: ["pod_name"])
    |> max()

join.inner(
  left: usage,
  right: limits,
  on: (l, r) => l.pod_name == r.pod_name,
  as: (l, r) => ({pod_name: l.pod_name, share: l._value / r._value}),
)
