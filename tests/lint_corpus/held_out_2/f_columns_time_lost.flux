option task = {name: "energy of the day", cron: "0 0 * * *"}

from(bucket: "plant")
    |> range(start: -1d)
    |> filter(fn: (r) => r._measurement == "meter" and r._field == "kwh")
    // One value a meter.
    |> spread() // expect lost-columns:8 raw-read:8
    |> to(bucket: "plant_1d")
