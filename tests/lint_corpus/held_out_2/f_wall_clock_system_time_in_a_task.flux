import "date"
import sys "system"

option task = {name: "late", every: 1h}

stop = date.truncate(t: sys.time(), unit: 1h)
start = date.sub(d: 1h, from: stop)

from(bucket: "plant")
    |> range(start: start, stop: stop) // expect wall-clock-range:8
    |> filter(fn: (r) => r._measurement == "boiler" and r._field == "temperature")
    |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
    |> to(bucket: "plant_1h")
