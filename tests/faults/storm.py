"""Random faults of requests, by a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

from tests.faults.request_proxy import NO_FAULT, Fault, canned

ALMOST_ALL = 0.9999
QUEUE_IS_FULL = canned("400 Bad Request", '{"code":"invalid","message":"queue length exceeded"}')

FaultMaker = Callable[[random.Random], Fault]

FAULTS: Mapping[str, FaultMaker] = {
    "refused": lambda _: Fault("request", 0.0, is_reset=True),
    "request cut": lambda r: Fault("request", r.random() * ALMOST_ALL, is_reset=r.random() < 0.5),
    "answer cut": lambda r: Fault("answer", r.random() * ALMOST_ALL, is_reset=r.random() < 0.5),
    "cut at work": lambda r: Fault("early", seconds=r.random() * 0.01, is_reset=r.random() < 0.5),
    "503": lambda _: Fault("canned", answer=canned("503 Service Unavailable", '{"message":"not ready"}')),
    "429": lambda _: Fault("canned", answer=canned("429 Too Many Requests", "", "Retry-After: 0\r\n")),
    "queue is full": lambda _: Fault("canned", answer=QUEUE_IS_FULL),
    "delay": lambda r: Fault("delay", seconds=r.random() * 0.01),
}
MORE_FAULTS: Mapping[str, FaultMaker] = {
    **FAULTS,
    "500": lambda _: Fault("canned", answer=canned("500 Internal Server Error", '{"message":"panic"}')),
    "half open": lambda r: Fault("half open", seconds=r.random() * 0.01, is_reset=r.random() < 0.5),
    "twice": lambda _: Fault("twice"),
    "slow": lambda _: Fault("slow"),
}


class Storm:
    """Random faults; the tries of a request must meet a calm moment in the end.

    :param calm: how likely a request meets none
    :param counts: how many there were of each kind
    """

    def __init__(self, seed: int, faults: Mapping[str, FaultMaker] = FAULTS, *, calm: float = 1 / 4) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.calm = calm
        self.counts: Counter[str] = Counter()

    def __call__(self, _kind: str, _request: bytes) -> Fault:
        if self.random.random() < self.calm:
            return NO_FAULT
        name, make = self.random.choice(list(self.faults.items()))
        self.counts[name] += 1
        return make(self.random)
