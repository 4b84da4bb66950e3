import "timezone"

option location = timezone.location(name: "Europe/Berlin")
option task = {name: "gas per day", cron: "5 0 * * *"}

from(bucket: "gas")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "m3")
    |> aggregateWindow(every: 1d, fn: max, createEmpty: false) // expect raw-read:8
    |> to(bucket: "gas_daily")
