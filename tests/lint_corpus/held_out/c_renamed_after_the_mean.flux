option task = {name: "heat pump", every: 30m}

from(bucket: "heating")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "pump")
    |> filter(fn: (r) => r._field == "flow" or r._field == "return")
    |> aggregateWindow(every: 30m, fn: mean, createEmpty: false)
    |> drop(columns: ["_start", "_stop", "serial"])
    |> rename(columns: {site: "place"})
    |> to(bucket: "heating_30m")
