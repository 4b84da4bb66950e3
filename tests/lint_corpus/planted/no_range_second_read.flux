from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> mean()
  |> yield(name: "a")

from(bucket: "web") |> last() |> yield(name: "b") // expect no-range:1
