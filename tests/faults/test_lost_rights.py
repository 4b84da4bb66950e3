"""A token that is deleted between two requests of any stage: what failed says so, and a rerun is right."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.faults.under_faults import Cured, live_once, require_told

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(900)]

# a seed that failed: RIGHTS_FIRST=<seed> RIGHTS_WORLDS=1
FIRST = int(os.environ.get("RIGHTS_FIRST", "1"))
WORLDS = int(os.environ.get("RIGHTS_WORLDS", "12"))
SEEDS = range(FIRST, FIRST + WORLDS)


class Tokens:
    """The tokens of a connection: one is deleted while it is in use, and the next one comes into the connection.

    :param given: all there were
    """

    def __init__(self, server: InfluxServer) -> None:
        self._address = InfluxAddress(server.url, server.org, server.token)
        self.given: list[str] = []
        self.renew()
        self._held = self.given[-1]

    def __call__(self, is_refused: bool) -> str:
        """As the connection's: it is read again after a refusal."""
        if is_refused:
            self._held = self.given[-1]
        return self._held

    def renew(self) -> None:
        """Put a new one into the connection."""
        kinds = ("buckets", "orgs", "dbrp", "tasks", "labels")
        rights = [(action, kind) for kind in kinds for action in ("read", "write")]
        self._identity, token = self._address.new_authorization(rights)
        self.given.append(token)

    def revoke(self) -> None:
        """Delete the one that is in the connection."""
        self._address.request("DELETE", f"/api/v2/authorizations/{self._identity}")

    def rotate(self) -> None:
        """Both, in the wrong order."""
        self.revoke()
        self.renew()


def test_every_stage_is_right_after_its_token_was_deleted(influx: InfluxServer, tmp_path: Path) -> None:
    names: Counter[str] = Counter()
    met = []
    for seed in SEEDS:
        tokens = Tokens(influx)
        failed = live_once(
            Cured, influx, tmp_path, seed, happens=tokens.revoke, cure=tokens.renew, token=tokens
        )
        names.update(require_told(verb, seed, [influx.token, *tokens.given]) for verb in failed)
        met += [one.error for one in failed if "unauthorized access" in str(one.error)]
    sys.stdout.write(json.dumps({"worlds": WORLDS, "failed verbs": names}))
    assert met
    for error in met:
        assert error is not None
        assert error.permanent, error
        assert "put a valid API token into the connection" in str(error)


def test_no_stage_notices_that_its_token_was_rotated(influx: InfluxServer, tmp_path: Path) -> None:
    for seed in SEEDS:
        tokens = Tokens(influx)
        failed = live_once(
            Cured, influx, tmp_path, seed, happens=tokens.rotate, cure=lambda: None, token=tokens
        )
        assert [str(one.error) for one in failed if "unauthorized" in str(one.error)] == []
