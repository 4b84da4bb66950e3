"""Live tests with the mark ``recorded`` run without a server too: ``--record`` keeps what the server answers, ``--replay`` plays it.

Both times a test has one clock, one order and one set of names, so that it sends the same requests: time goes on by a
millisecond each time it is asked, and the steps of a ``Gather`` run one after the other.
"""

from __future__ import annotations

import json
import lzma
import os
import random
import sys
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client import driver, server_clock
from dev.influx_http import InfluxAddress
from tests.scenes.recorded_server import URL, Exchange, Tape, Wire

FOLDER = Path(__file__).parent / "live" / "recordings"
#: later than the points of the tests
FIRST_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
really_sleep = time.sleep
PLUGIN = pytest.StashKey["Recordings"]()
FAILED = pytest.StashKey[bool]()


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class PinnedClock:
    """A clock that goes on by a millisecond each time it is asked."""

    def __init__(self) -> None:
        self._now = FIRST_NOW

    def now(self, zone: tzinfo | None = None) -> datetime:
        """The next time."""
        self._now += TICK
        return self._now.astimezone(zone)

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self._now += timedelta(seconds=seconds)

    def sleep_really(self, seconds: float) -> None:
        """Wait for a server too."""
        self.sleep(seconds)
        really_sleep(seconds)

    def datetime(self) -> type[datetime]:
        """What stands for ``datetime`` in a module: it makes real ones, and has this clock's time."""
        clock = self

        class Pinned(datetime, metaclass=_AnyDatetime):
            def __new__(cls, *values: Any, **more: Any) -> Any:
                return datetime(*values, **more)  # noqa: DTZ001 -- as it is asked for

            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return clock.now(tz)

        return Pinned


class Recordings:
    """The tapes of all modules, and the wire that they are played to.

    :param is_playing: whether tapes answer; else they are written
    """

    def __init__(self, *, is_playing: bool) -> None:
        self.is_playing = is_playing
        self.wire = Wire(URL if is_playing else os.environ["INFLUX_URL"], is_playing=is_playing)
        self.tapes: dict[str, dict[str, Tape]] = {}
        # by the tape's id, and with the tape: another one may have the id of one that is gone
        self._pinned: dict[int, tuple[Tape, PinnedClock, random.Random]] = {}
        self._patch = pytest.MonkeyPatch()
        self._at_end = ExitStack()

    def start(self) -> None:
        """Take the place of the network; buckets have the same names each time, so those that are made end with the run."""
        if not self.is_playing:
            address = InfluxAddress(
                *(os.environ[name] for name in ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN"))
            )
            self._at_end.enter_context(address.buckets_made_meanwhile_deleted())
        with suppress(ImportError):
            # the client imports it at its first request, and the import takes names of uuid4
            import_module("opentelemetry.context")
        self.wire.install(self._patch.setattr)
        make = pytest.TempPathFactory.mktemp

        def mktemp(factory: pytest.TempPathFactory, basename: str, numbered: bool = True) -> Path:
            made = make(factory, basename, numbered)
            self.wire.know_folder(basename, str(made))
            return made

        self._patch.setattr(pytest.TempPathFactory, "mktemp", mktemp)

    def stop(self) -> None:
        """Give it back."""
        self._patch.undo()
        self._at_end.close()

    def tape(self, module: str, name: str) -> Tape:
        """The tape of a test or fixture; an empty one when nothing was recorded."""
        if self.is_playing and module not in self.tapes:
            self.tapes[module] = {one.name: one for one in read_tapes(FOLDER / f"{module}.json.xz")}
        tapes = self.tapes.setdefault(module, {})
        if self.is_playing:
            return Tape(name, tapes[name].exchanges if name in tapes else [])
        tapes[name] = Tape(name)
        return tapes[name]

    @contextmanager
    def running(self, tape: Tape, module: Any) -> Iterator[None]:
        """Run a part of a test on a tape, with the clock and the names of that tape."""
        # fixtures of two modules may have one name, and the same buckets would have points of both
        seed = f"{module.__name__} {tape.name}"
        _, clock, names = self._pinned.setdefault(id(tape), (tape, PinnedClock(), random.Random(seed)))
        with _one_thread(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=names.getrandbits(128), version=4))
            patch.setattr(server_clock, "machine_now", lambda: clock.now(UTC))
            patch.setattr(time, "sleep", clock.sleep if self.is_playing else clock.sleep_really)
            scenes = [one for name, one in sys.modules.items() if name.startswith("tests.scenes.")]
            for one in (module, *scenes):
                if getattr(one, "datetime", None) is datetime:
                    patch.setattr(one, "datetime", clock.datetime())
            self.wire.tapes.append(tape)
            try:
                yield
            finally:
                self.wire.tapes.pop()

    def save(self) -> None:
        """Write the tapes of each module that was recorded."""
        FOLDER.mkdir(exist_ok=True)
        for module, tapes in self.tapes.items():
            # what tests share was there first
            names = sorted(tapes, key=lambda name: (name.startswith("test_"), name))
            write_tapes(FOLDER / f"{module}.json.xz", [tapes[name] for name in names])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run the steps of a ``Gather`` one after the other; tests without a tape have all threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "MAX_THREADS", 1)
        driver._forget_threads()
        yield
    driver._forget_threads()


def read_tapes(path: Path) -> list[Tape]:
    """The tapes of a module; none when it was not recorded."""
    if not path.exists():
        return []
    tapes = json.loads(lzma.decompress(path.read_bytes()))
    return [Tape(name, [Exchange(*one) for one in exchanges]) for name, exchanges in tapes.items()]


def write_tapes(path: Path, tapes: list[Tape]) -> None:
    """Write them as JSON, a line for each exchange. Answers repeat each other: packed they are a hundredth."""
    parts = [
        f"{json.dumps(tape.name)}: [\n"
        + ",\n".join(json.dumps(astuple(one)) for one in tape.exchanges)
        + "\n]"
        for tape in tapes
        if tape.exchanges
    ]
    path.write_bytes(lzma.compress(("{\n" + ",\n".join(parts) + "\n}\n").encode()))


# --- pytest -----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two ways to run the tests that are marked."""
    parser.addoption(
        "--record", action="store_true", help="keep what the server answers to the recorded tests"
    )
    parser.addoption("--replay", action="store_true", help="run the recorded tests without a server")


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of the network when asked to."""
    is_playing = config.getoption("--replay")
    if is_playing or config.getoption("--record"):
        config.stash[PLUGIN] = Recordings(is_playing=is_playing)
        config.stash[PLUGIN].start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the network back."""
    plugin = config.stash.get(PLUGIN, None)
    if plugin is not None:
        plugin.stop()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what was recorded."""
    plugin = session.config.stash.get(PLUGIN, None)
    if plugin is not None and not plugin.is_playing:
        plugin.save()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave live tests out that are not recorded."""
    if PLUGIN not in config.stash:
        return
    left = [item for item in items if item.get_closest_marker("live") and not _is_recorded(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _is_recorded(item: pytest.Item) -> bool:
    """Whether it has the mark; the mark may name some of its parameters."""
    mark = item.get_closest_marker("recorded")
    return mark is not None and (not mark.args or item.callspec.id in mark.args)  # type: ignore[attr-defined]


TAPE = pytest.StashKey[Tape]()


@contextmanager
def _on_tape(item: pytest.Item) -> Iterator[None]:
    plugin = item.config.stash.get(PLUGIN, None)
    if plugin is None or not item.get_closest_marker("live"):
        yield
        return
    if TAPE not in item.stash:
        item.stash[TAPE] = plugin.tape(item.module.__name__.rpartition(".")[2], item.name)
    with plugin.running(item.stash[TAPE], item.module):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    with _on_tape(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    tape = item.stash.get(TAPE, None)
    try:
        with _on_tape(item):
            result = yield
    except BaseException:
        if tape is not None and not item.config.stash[PLUGIN].is_playing:
            tape.exchanges.clear()  # what a test does not accept is not kept
        raise
    if tape is not None and item.config.stash[PLUGIN].is_playing:
        tape.require_right()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """What fixtures send at their end is on the tape too."""
    with _on_tape(item):
        result = yield
    tape = item.stash.get(TAPE, None)
    if tape is not None and item.config.stash[PLUGIN].is_playing:
        tape.require_end()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Generator[None, Any, Any]:
    """What many tests share has a tape of its own."""
    plugin = request.config.stash.get(PLUGIN, None)
    if plugin is None or not plugin.wire.tapes:
        return (yield)
    if fixturedef.func.__module__ == "tests.conftest" and fixturedef.scope != "function":
        with plugin.wire.paused():
            return (yield)
    if fixturedef.scope in ("module", "class"):
        name = f"{fixturedef.argname}[{getattr(request, 'param_index', '')}]"
        with plugin.running(plugin.tape(request.module.__name__.rpartition(".")[2], name), request.module):
            return (yield)
    return (yield)
