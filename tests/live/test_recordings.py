"""What was recorded is what a server answers: each recorded request is sent again, without the product."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.recorded import FOLDER, read_tapes
from tests.scenes.recorded_server import AS_SENT, Exchange

# what else is on the server changes some answers, so it has one of its own
pytestmark = [pytest.mark.live, pytest.mark.slow]

ID = re.compile(r"\b[0-9a-f]{16}\b")
#: of the server itself, or of the moment
VOLATILE = ("createdAt", "updatedAt", "id", "orgID", "links")
# plans number their nodes as the server likes, and one bucket is made by a request that is not recorded
NOT_REPEATED = {"test_plan_gate", "test_lateness_report"}
MODULES = sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.json.xz")} - NOT_REPEATED)


class Again:
    """Sends recorded requests; buckets and organisations have other ids than then."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server
        self._ids: dict[str, str] = {}

    def answer(self, exchange: Exchange) -> tuple[int, str]:
        """Status and text now, with the ids of then."""
        request = urllib.request.Request(
            self._server.url + self._now(exchange.path),
            data=self._now(exchange.body).encode(errors=AS_SENT) if exchange.method == "POST" else None,
            method=exchange.method,
            headers={
                "Authorization": f"Token {self._server.token}",
                "Content-Type": "text/plain; charset=utf-8"
                if exchange.path.startswith("/api/v2/write")
                else "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                status, data = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
        text = data.decode(errors=AS_SENT)
        self._learn(exchange.answer, text)
        then = {new: old for old, new in self._ids.items()}
        return status, ID.sub(lambda found: then.get(found[0], found[0]), text)

    def _now(self, text: str) -> str:
        return ID.sub(lambda found: self._ids.get(found[0], found[0]), text)

    def _learn(self, recorded: str, text: str) -> None:
        if recorded.startswith("{") and (
            '"buckets"' in recorded or '"orgs"' in recorded or '"orgID"' in recorded
        ):
            pairs = zip(ID.findall(recorded), ID.findall(text), strict=False)
            self._ids |= {old: new for old, new in pairs if old != new}


def told(status: int, text: str) -> Any:
    """What an answer says; the order of its lines is the server's affair."""
    if text.startswith("{"):
        return status, _without_moments(json.loads(text))
    return status, sorted(text.split("\r\n"))


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_moments(one) for key, one in value.items() if key not in VOLATILE}
    return [_without_moments(one) for one in value] if isinstance(value, list) else value


def is_of_whole_server(exchange: Exchange) -> bool:
    """Whether the answer lists what other tests have made too."""
    return exchange.path.startswith("/api/v2/dbrps") or "buckets()" in exchange.body


@pytest.mark.parametrize("module", MODULES)
def test_server_answers_as_it_did_when_recorded_requests_are_sent_again(
    influx: InfluxServer, module: str
) -> None:
    again = Again(influx)
    exchanges = [exchange for tape in read_tapes(FOLDER / f"{module}.json.xz") for exchange in tape.exchanges]
    with InfluxAddress(influx.url, influx.org, influx.token).buckets_made_meanwhile_deleted():
        for exchange in exchanges:
            if is_of_whole_server(exchange):
                continue
            assert told(*again.answer(exchange)) == told(exchange.status, exchange.answer), exchange.sent
