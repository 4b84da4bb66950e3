import j "join"

read = (field) =>
    from(bucket: "plant")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "boiler" and r._field == field)
        |> group(columns: ["boiler"]) // expect raw-read:12

j.inner(
    left: read(field: "temperature"),
    right: read(field: "pressure"),
    on: (l, r) => l._time == r._time,
    as: (l, r) => ({l with pressure: r._value}),
)
