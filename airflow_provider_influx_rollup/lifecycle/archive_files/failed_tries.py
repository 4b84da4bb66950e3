"""Windows that could not be archived when that was last tried: a small document beside them, so that others come first.

It decides nothing but an order, so one that is damaged counts as none, and of two runs the later one may write over it. It
has no reasons: they may name series, which an erasure would have to find.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.archive.documents import decode_document, encode_document
from airflow_provider_influx_rollup.archive.paths import FAILED_TRIES
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import PutOver, ReadBytes
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

FORMAT = "influx-rollup-failed-tries/1"


@dataclass(frozen=True, slots=True)
class FailedTry:
    """The last try of a window.

    :param at: when it began
    :param has_ended: whether an error ended it; otherwise the run died, as far as anybody knows
    """

    at: datetime
    has_ended: bool


Tried = dict[Interval, FailedTry]


@dataclass(slots=True)
class FailedTries:
    """The windows that failed, or were worked on by a run that died.

    :param folder: of the measurement
    :param tried: the last try of each
    :param waited: how many windows were archived, one in each run, while one waited at which a run died
    :param written: the document
    """

    folder: str
    tried: Tried
    waited: int
    written: bytes

    @classmethod
    def read(cls, folder: str) -> Steps[FailedTries]:
        """Those that earlier runs have left.

        :param folder: of the measurement
        """
        path = f"{folder}/{FAILED_TRIES}"
        data = yield from ask(ReadBytes(path))
        tried: Tried = {}
        waited = 0
        if data is not None:
            try:
                tried, waited = _decode(data, path)
            except (InfluxRollupError, KeyError, TypeError, ValueError):
                told = f"{path} is damaged: which windows failed before is not known"
                yield from ask(Report(told, "warning"))
        return cls(folder, tried, waited, _encode(tried, waited))

    def begin(self, window: Interval, now: datetime) -> Steps[None]:
        """Say that a window is tried, before that may end the run."""
        self.tried[window] = FailedTry(now, has_ended=False)
        yield from self.write()

    def end(self, window: Interval) -> None:
        """An error has ended the try of a window; the next write says so."""
        self.tried[window] = FailedTry(self.tried[window].at, has_ended=True)

    def write(self) -> Steps[None]:
        """Remember the windows, when they are others than before."""
        document = _encode(self.tried, self.waited)
        if document != self.written:
            self.written = document
            yield from ask(PutOver(f"{self.folder}/{FAILED_TRIES}", document))


def _encode(tried: Tried, waited: int) -> bytes:
    windows = [
        {**window.as_json(), "tried_at": format_instant(one.at), "has_ended": one.has_ended}
        for window, one in sorted(tried.items(), key=lambda item: item[0])
    ]
    return encode_document({"format": FORMAT, "waited": waited, "windows": windows})


def _decode(data: bytes, path: str) -> tuple[Tried, int]:
    document = decode_document(data, path)
    tried = {
        Interval.from_json(one): FailedTry(datetime.fromisoformat(one["tried_at"]), bool(one["has_ended"]))
        for one in document["windows"]
    }
    return tried, int(document.get("waited", 0))
