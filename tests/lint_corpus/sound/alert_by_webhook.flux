import "http"
import "json"
option task = {name: "alert", every: 5m}

from(bucket: "iot")
  |> range(start: -task.every)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2")
  |> max()
  |> filter(fn: (r) => r._value > 2000.0)
  |> map(fn: (r) => ({r with sent: http.post(url: "http://localhost:9/", data: json.encode(v: r))}))
