// All that the pumps ever moved.
from(bucket: "plant") // expect no-range:1

    // one measurement only
    |> filter(fn: (r) => r._measurement == "pump"
        and r._field == "flow")
    |> sum()
    |> yield(name: "total")
