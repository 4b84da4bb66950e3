"""Verbs that come to InfluxDB through a proxy, what is done after they failed, and what must be true of what they left."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Fault, running_request_proxy
from tests.faults.scenes import connect, quick_retries
from tests.oracle import query
from tests.scenes.archive_scene import make_archive_scene
from tests.scenes.interleaving_scene import WINDOWS, Interleaving, Verb, aggregates, facts_in
from tests.scenes.purge_scene import ALWAYS, Fact, as_facts

TRIES = 3
# a world sends some hundreds
MOST_REQUESTS = 100
World = TypeVar("World", bound="UnderFaults")


class UnderFaults(Interleaving):
    """The same, whose verbs come to InfluxDB through a proxy; points, and what must be true, do not.

    :param through: the client of the verbs
    """

    def face(self, through: InfluxClient) -> list[Verb]:
        """Play with faults, then run again what died or failed for the moment; the verbs that failed."""
        direct, self.direct = self.client, self.client
        self.client = through
        died = self.play_rounds()
        failed = [verb for verb in self.ended if verb.error is not None]
        self.client = direct
        self.mend()
        self.require_untorn()
        for verb in [*died, *(one for one in failed if self.is_run_again(one))]:
            self._run_again(verb)
        return failed

    def mend(self) -> None:
        """What people do before anything is run again; nothing, where the fault is over by itself."""

    def is_run_again(self, verb: Verb) -> bool:
        """Whether a verb that failed is run again: Airflow does what may pass."""
        return verb.error is not None and not verb.error.permanent

    def _run_again(self, verb: Verb) -> None:
        """As Airflow does: until it is done, or says that it need not be tried again."""
        for _ in range(TRIES):
            self.run_alone(verb.name, verb.make, may_fail=True)
            self.require_untorn()
            again = self.ended[-1]
            if again.error is None or again.error.permanent:
                return

    def add(self, *points: Any) -> None:
        through, self.client = self.client, getattr(self, "direct", self.client)
        super().add(*points)
        self.client = through

    def require_untorn(self) -> None:
        """A COMMITTED window has the rows of all points that had come by some moment."""
        self.require_marked()
        for spec in (self.hourly, self.most):
            rows = self.rows(spec.target_measurement or self.measurement)
            for window in self.committed(spec.pipeline or ""):
                found = {key: value for key, value in rows.items() if key[0] == window.start_ns}
                came: list[Fact] = sorted_as_written(self, window)
                wanted = [aggregates(set(came[:count]), spec, window) for count in range(len(came) + 1)]
                assert found in wanted, f"{window} of {spec.pipeline} is torn: {found}, none of {wanted}"

    def committed(self, pipeline: str) -> list[Any]:
        """Windows that the ledger says are COMMITTED, and that no other run has claimed since."""
        flux = f"""from(bucket: "{self.ledger}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "window_receipt"
            and r.pipeline == "{pipeline}" and r._field =~ /^(state|claimed_by|committed_by)$/)"""
        fields: dict[int, dict[str, str]] = defaultdict(dict)
        for row in query(self.server.url, self.server.org, self.server.token, flux):
            fields[pd.Timestamp(row["_time"]).value][row["_field"]] = row["_value"]
        return [
            window
            for window in WINDOWS
            if (known := fields[window.start_ns]).get("state") == "COMMITTED"
            and known.get("claimed_by") == known.get("committed_by")
        ]


def sorted_as_written(scene: Interleaving, window: Any) -> list[Fact]:
    """The points of a window in the order in which they were written, as facts."""
    return [fact for one in scene.points for fact in facts_in(as_facts([one]), window)]


class Cured(UnderFaults):
    """The same under a fault that stays until somebody does something about it; then all that failed is run again.

    :param cure: what is done
    """

    cure: Callable[[], object]

    def begin(self, seed: int) -> None:
        """As always, then late points of each window: all that follows has something to do."""
        super().begin(seed)
        for number in range(len(WINDOWS)):
            self.land_in(number)

    def mend(self) -> None:
        """Do it."""
        self.cure()

    def is_run_again(self, verb: Verb) -> bool:
        """By hand, also what Airflow would not try again."""
        return verb.error is not None

    def _write(self) -> Iterator[Callable[[], None]]:
        """No writer: of a write that failed nobody knows what is there."""
        return iter(())


class Once:
    """Something that happens once, before a request that a seed chooses.

    :param happens: what does
    """

    def __init__(self, seed: int, happens: Callable[[], object]) -> None:
        self.left = random.Random(seed).randint(1, MOST_REQUESTS)
        self.happens = happens
        self._lock = threading.Lock()

    def __call__(self, _kind: str, _request: bytes) -> Fault:
        with self._lock:
            self.left -= 1
            if self.left == 0:
                self.happens()
        return NO_FAULT


def require_told(verb: Verb, seed: int, secrets: Iterable[str]) -> str:
    """An error says what to do and what was written, and no secret; its name."""
    error = verb.error
    assert error is not None
    assert not any(secret in str(error) for secret in secrets)
    assert error.fix, f"seed {seed}: {verb.name} says not what to do: {error}"
    # one that could not have written anything is told so by the driver
    assert error.written or not verb.may_have_written, f"seed {seed}: {verb.name}: {error}"
    return type(error).__name__


@contextmanager
def new_world(kind: type[World], server: InfluxServer, base: Path, direct: InfluxClient) -> Iterator[World]:
    """Buckets and a folder of their own, deleted at the end; what fails is told with all that was done.

    :param base: a folder for the archive
    """
    address = InfluxAddress(server.url, server.org, server.token)
    with address.buckets_made_meanwhile_deleted():
        made = make_archive_scene(server, direct, base)
        scene = kind(server, direct, made.base, made.bucket, made.ledger, rolled=f"{made.bucket}_rolled")
        direct.ensure_bucket(scene.rolled)
        try:
            yield scene
        except BaseException as error:
            error.add_note("\n".join(scene.schedule))
            raise


def live_once(
    kind: type[Cured],
    server: InfluxServer,
    base: Path,
    seed: int,
    *,
    happens: Callable[[], object],
    cure: Callable[[], object],
    **options: Any,
) -> list[Verb]:
    """One world in which something happens at a moment that the seed chooses, and is cured later; the verbs that failed.

    :param base: a folder for the archive
    :param options: of the client of the verbs
    """
    with (
        running_request_proxy(server.url) as proxy,
        quick_retries(),
        connect(server, server.url, deadline_seconds=60.0) as direct,
        connect(server, proxy.url, **options) as through,
        new_world(kind, server, base / str(seed), direct) as scene,
    ):
        scene.cure = cure
        scene.begin(seed)
        scene.schedule.append(f"seed {seed}:")
        proxy.plan(Once(seed, happens))
        failed = scene.face(through)
        scene.require_rest()
    return failed
