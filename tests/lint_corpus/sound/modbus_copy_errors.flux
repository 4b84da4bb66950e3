option task = {name: "copy_faults", every: 1h}

from(bucket: "plant")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "modbus" and r._field == "fault" and r._value > 0)
  |> to(bucket: "faults")
