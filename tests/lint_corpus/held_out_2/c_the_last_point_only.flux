// Raw, but one row a series.
from(bucket: "plant")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "boiler")
    |> filter(fn: (r) => r._field == "temperature")
    |> last()
    |> yield(name: "now")
