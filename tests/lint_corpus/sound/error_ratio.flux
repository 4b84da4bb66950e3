data = (code) => from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "http" and r._field == "hits")
  |> filter(fn: (r) => r.class =~ code)
  |> group()
  |> sum()

failed = data(code: /5xx/)
total = data(code: /.*/)

join(tables: {failed: failed, total: total}, on: ["_start", "_stop"])
  |> map(fn: (r) => ({ratio: float(v: r._value_failed) / float(v: r._value_total)}))
