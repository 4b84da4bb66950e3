import "dict"

names = ["b1": "boiler", "p1": "pump"]

from(bucket: "plant")
  |> range(start: -1h)
  |> filter(fn: (r) => r._measurement == "status" and r._field == "ok")
  |> last()
  |> map(fn: (r) => ({r with name: dict.get(dict: names, key: r.unit, default: "?")}))
