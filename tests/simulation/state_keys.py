"""What two moments of a schedule have in common from which the same may follow: keys that are equal for these alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import numpy as np

from tests.simulation.influx import SimulatedBucket
from tests.simulation.runs import Run
from tests.simulation.world import World

PLAIN = frozenset((str, int, float, bool, bytes, type(None), datetime, timedelta))
#: what the world knows of its runs is in their own keys; of buckets and files there are faster ones
APART = frozenset(("runs", "influx", "store", "has_own_clocks", "source_key"))
#: what changes with each change of the source, and not else
OF_SOURCE = ("source", "history", "changed_at", "came")


def key_of(value: Any) -> bytes:
    """The same for equal values, whatever the order of their dicts and sets.

    :raises TypeError: when it cannot tell
    """
    return blake2b(repr(_frozen(value)).encode(errors="surrogatepass"), digest_size=12).digest()


def _frozen(value: Any) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is list or kind is tuple:
        return tuple(map(_frozen, value))
    if isinstance(value, Mapping):
        return kind.__name__, _in_order([(_frozen(k), _frozen(v)) for k, v in value.items()])
    if isinstance(value, set | frozenset):
        return kind.__name__, _in_order([(_frozen(one),) for one in value])
    return _frozen_object(value)


def _in_order(items: list[Any]) -> list[Any]:
    try:
        return sorted(items, key=itemgetter(0))
    except TypeError:
        return sorted(items, key=repr)


def _frozen_object(value: Any) -> Any:
    kind = type(value)
    if isinstance(value, World):
        return "world"
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tolist()
    if isinstance(value, Enum | np.generic):
        return kind.__name__, str(value)
    if isinstance(value, Exception):
        return kind.__name__, str(value)
    if isinstance(value, str | int | float | Collection) and not is_dataclass(value):
        return kind.__name__, repr(value) if isinstance(value, str | int | float) else _frozen(list(value))
    if is_dataclass(value):
        return kind.__name__, [_frozen(getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return "callable"
    message = f"no key of a {kind.__name__}"
    raise TypeError(message)


class Watched:
    """What a run has been told since it began: it does the same when it was told the same.

    :param told: a key of all answers and errors, with the times at which they came
    :param is_replay: whether both are known, and need not be made again
    :param prepared: what the world was when a step that writes later has read, by the number of the step
    """

    def __init__(self, run: Run, *, is_replay: bool = False) -> None:
        self.run, self.told, self.is_replay = run, b"", is_replay
        self.prepared: dict[int, bytes] = {}
        make = run.make
        run.make = lambda: self._watch(make())

    def _watch(self, steps: Any) -> Any:
        answer, error = None, None
        while True:
            self._hears(answer, error)
            try:
                pending = steps.throw(error) if error is not None else steps.send(answer)
            except StopIteration as ended:
                return ended.value
            answer, error = None, None
            try:
                answer = yield pending
            except GeneratorExit:
                steps.close()
                raise
            except Exception as thrown:  # noqa: BLE001 - the run is told any error
                error = thrown

    def _hears(self, answer: Any, error: Exception | None) -> None:
        if not self.is_replay:
            self.told = key_of((self.told, answer, error, self.run.world.clock))

    def has_moved(self) -> None:
        """After each of its moves."""
        self.prepared = {
            number: self.prepared.get(number) or key_of_world(self.run.world)
            for number in self.run.prepared_steps
        }

    def key(self) -> Any:
        """Of a run that has ended only what is asked for at rest."""
        run = self.run
        if run.end:
            return run.end, run.version
        return (
            self.told,
            run.end,
            run.turns,
            (run.last_look, run.began_at, run.first_version),
            sorted(self.prepared.items()),
            run.told_in_part,
        )


def key_of_world(world: World) -> bytes:
    """All that is there, and all that is known of it."""
    known = {
        name: value for name, value in vars(world).items() if name not in APART and name not in OF_SOURCE
    }
    buckets = [(one.name, one.retention_seconds, *_of_bucket(one)) for one in world.influx.buckets.values()]
    store = world.store
    return key_of((known, _of_source(world), buckets, store.files, store.emptied, store.tables))


def _of_source(world: World) -> bytes:
    """What has become of the source, made once until it changes."""
    changes = len(world.history)
    if world.source_key is None or world.source_key[0] != changes:
        world.source_key = changes, key_of([getattr(world, name) for name in OF_SOURCE])
    return world.source_key[1]


def _of_bucket(bucket: SimulatedBucket) -> tuple[Any, ...]:
    return (
        [(name, _of_series(bucket, name)) for name in sorted(bucket.measurements)],
        sorted((*key, kind.__name__) for key, kind in bucket.kinds.items()),
    )


def _of_series(bucket: SimulatedBucket, measurement: str) -> bytes:
    """Of a measurement, made once until it changes."""
    ordered = bucket.ordered(measurement)
    known = bucket.keys.get(measurement)
    if known is None or known[0] is not ordered:
        known = ordered, key_of([(*key, sorted(values.items())) for key, values in ordered])
        bucket.keys[measurement] = known
    return known[1]
