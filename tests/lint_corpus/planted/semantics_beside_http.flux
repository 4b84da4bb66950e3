import "http"

http.post(url: "http://localhost:9/", data: bytes(v: 1 + "a")) // expect semantics:58
