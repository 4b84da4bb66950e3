option task = {name: "fahrenheit", every: 15m}

from(bucket: "climate")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "temperature" and r._field == "celsius")
    |> aggregateWindow(every: 15m, fn: mean, createEmpty: false)
    |> group()
    |> map(fn: (r) => ({_time: r._time, _value: r._value * 1.8 + 32.0, place: r.place})) // expect lost-columns:8
    |> to(bucket: "climate_f")
