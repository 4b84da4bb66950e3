import "http"
import "json"

option task = {name: "door alarm", every: 1m}

from(bucket: "home")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._measurement == "door" and r._field == "open")
    |> last()
    |> map(
        fn: (r) => ({r with
            sent: http.post(url: "http://localhost/hook", data: json.encode(v: {text: "${r.room} is open"})),
        }),
    )
