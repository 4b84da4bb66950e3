{% from "./conditions.flux" import any_of %}
option task = {name: "site_means", every: 1h, offset: 10m}

from(bucket: {{ env.raw | flux }})
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "sensor_readings" and r._field == "temperature")
  |> filter(fn: (r) => {{ any_of("site", env.sites) }})
  |> aggregateWindow(every: 1h, fn: {{ env.aggregate | flux_name }}, createEmpty: false)
  |> filter(fn: (r) => r._value >= params.least)
  |> to(bucket: {{ env.rollups | flux }})
