from(bucket: "iott") // expect missing-bucket:14
    |> range(start: -5m)
    |> filter(fn: (r) => r._measurement == "zigbee")
    |> last()
