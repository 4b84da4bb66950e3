"""Connections that break in the middle of a rollup: same rows, nothing torn that says COMMITTED, no storm of retries."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from tests.conftest import InfluxServer
from tests.faults.request_proxy import NO_FAULT, Decide, Fault, RequestProxy, running_request_proxy
from tests.faults.scenes import PATHS, SPAN, Path, Scene, connect, make_scenes, quick_retries
from tests.faults.storm import ALMOST_ALL, FAULTS, Storm
from tests.scenes.rollup_runs import roll

pytestmark = [pytest.mark.faults, pytest.mark.live]

RUNS = 4
CHANGES = ("execute", "write", "delete")
FAULTS_IN_A_ROW = 1000


@pytest.fixture
def proxy(influx: InfluxServer) -> Iterator[RequestProxy]:
    with running_request_proxy(influx.url) as running, quick_retries():
        yield running


@pytest.fixture(scope="module")
def new_scene(influx: InfluxServer, client: InfluxClient) -> Callable[[Path], Scene]:
    return make_scenes(influx, client)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> Path:
    return PATHS[request.param]


def each_request_once(seed: int) -> Decide:
    """Each request is cut somewhere at its first try and not at its second."""
    tries: dict[bytes, itertools.count[int]] = defaultdict(itertools.count)
    choose = random.Random(seed)

    def decide(_kind: str, request: bytes) -> Fault:
        if next(tries[request]) % 2:
            return NO_FAULT
        part = choose.choice([0.0, ALMOST_ALL, choose.random() * ALMOST_ALL])
        return Fault(choose.choice(["request", "answer"]), part, is_reset=choose.random() < 0.5)

    return decide


def test_rows_are_right_when_every_request_is_cut_once(
    influx: InfluxServer, proxy: RequestProxy, new_scene: Callable[[Path], Scene], path: Path
) -> None:
    with connect(influx, proxy.url) as through:
        for seed in range(RUNS):
            scene = new_scene(path)
            proxy.plan(each_request_once(seed))
            roll(through, scene.spec, SPAN)
            assert scene.differences() == [], seed
            assert proxy.fault_count >= 10
            assert proxy.request_count <= 2 * proxy.fault_count


def test_rerun_is_right_and_nothing_torn_is_committed_when_a_cut_ends_the_run(
    influx: InfluxServer, proxy: RequestProxy, new_scene: Callable[[Path], Scene], path: Path
) -> None:
    scene = new_scene(path)
    with connect(influx, proxy.url, deadline_seconds=0.0) as once:
        roll(once, scene.spec, SPAN)
        cuts = cuts_of(proxy.kinds)
        assert len(cuts) > 6
        for kind, nth, fault in cuts:
            scene = new_scene(path)
            proxy.plan(at_nth(kind, nth, fault))
            with pytest.raises(InfluxRollupError) as caught:
                roll(once, scene.spec, SPAN)
            assert not caught.value.permanent
            assert scene.torn() == [], (kind, nth, fault)
            roll(once, scene.spec, SPAN)
            assert scene.differences() == [], (kind, nth, fault)
            assert proxy.fault_count == 1


def cuts_of(kinds: list[str]) -> list[tuple[str, int, Fault]]:
    """Requests of a run and how each is cut: all that change something, before and after they did, and some reads."""
    cuts = []
    numbers: dict[str, itertools.count[int]] = {}
    for kind in kinds:
        nth = next(numbers.setdefault(kind, itertools.count()))
        is_reset = nth % 2 == 0
        if kind in CHANGES:
            begun = Fault("request", 0.5, is_reset=is_reset)
            at_work = Fault("early", seconds=0.002, is_reset=is_reset)
            cuts.append((kind, nth, begun if nth % 2 else at_work))
            cuts.append((kind, nth, Fault("answer", 0.0, is_reset=not is_reset)))
        elif nth % 3 == 1:
            cuts.append((kind, nth, Fault("answer", 0.5, is_reset=is_reset)))
    return cuts


def at_nth(kind: str, nth: int, fault: Fault) -> Decide:
    """The fault at the nth request of a kind: the order of kinds that are sent at the same time may differ."""
    seen = itertools.count()
    return lambda this, _request: fault if this == kind and next(seen) == nth else NO_FAULT


@pytest.mark.timeout(300)
def test_no_row_is_lost_or_doubled_when_a_thousand_faults_come_in_a_row(
    influx: InfluxServer, proxy: RequestProxy, new_scene: Callable[[Path], Scene]
) -> None:
    storm = Storm(seed=20250308)
    fault_count = request_count = 0
    with connect(influx, proxy.url) as through:
        calm_counts = [count_requests(through, proxy, new_scene(path)) for path in PATHS.values()]
        for calm_count, path in itertools.cycle(zip(calm_counts, PATHS.values(), strict=True)):
            scene = new_scene(path)
            proxy.plan(storm)
            roll(through, scene.spec, SPAN)
            fault_count, request_count = fault_count + proxy.fault_count, request_count + proxy.request_count
            assert scene.differences() == [], storm.counts
            # no storm of retries: one more request for each fault at the most
            assert proxy.request_count <= calm_count + proxy.fault_count
            if fault_count >= FAULTS_IN_A_ROW:
                break
    assert storm.counts.keys() == FAULTS.keys()
    assert min(storm.counts.values()) > FAULTS_IN_A_ROW / 20
    assert request_count < 1.5 * fault_count


def count_requests(through: InfluxClient, proxy: RequestProxy, scene: Scene) -> int:
    """Requests of a rollup that meets no fault."""
    proxy.plan(lambda _kind, _request: NO_FAULT)
    roll(through, scene.spec, SPAN)
    return proxy.request_count
