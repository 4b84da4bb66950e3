option task = {name: "months", cron: "0 0 1 * *"}

from(bucket: "plant_1d")
    |> range(start: -1mo)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "kwh")
    |> aggregateWindow(every: 1mo, fn: sum, createEmpty: false)
    |> set(key: "_field", value: "kwh_month")
    |> to(bucket: "plant")
