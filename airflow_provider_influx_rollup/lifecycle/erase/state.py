"""Progress document of an erasure, beside the archive and written before anything is deleted, and fences for archives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.documents import damaged, decode_sealed, encode_sealed
from airflow_provider_influx_rollup.archive.erasure import (
    Subject,
    erasures_folder,
    is_state,
    state_name,
)
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    ListFolder,
    PutOver,
    ReadBytes,
    RemoveFiles,
)
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, kw_only=True)
class EraseState:
    """An erasure that has begun and is not certified yet.

    :param erase_id: 16 hex digits
    :param interval: None for all time
    :param begun_at: RFC 3339, UTC
    :param certificate: number of the measurement's last one before the erasure
    :param run: who began it
    :param before: what was found in earlier rounds, all of which is deleted
    :param found: what the last look found; some of it may be deleted
    :param rounds: how many times it was deleted
    :param seen: hashes of runs that an earlier try saw writing, and that may be dead
    """

    erase_id: str
    subject: Subject
    interval: Interval | None
    begun_at: str
    certificate: int
    run: Mapping[str, Any]
    before: ErasureFindings = field(default_factory=ErasureFindings)
    found: ErasureFindings = field(default_factory=ErasureFindings)
    rounds: int = 1
    seen: tuple[str, ...] = ()

    @property
    def all_found(self) -> ErasureFindings:
        """Findings of all rounds."""
        return self.before.plus(self.found)

    @property
    def began(self) -> datetime:
        """When the first try began, by its worker's clock."""
        return datetime.fromisoformat(self.begun_at)

    def rows_of(self, pipeline: str) -> dict[int, int]:
        """Windows of a pipeline that had rows, by start, with the number of source points that those of this round stand for.

        Points that came back in an earlier round may be in its count.
        """
        return {**dict.fromkeys(self.before.rows.get(pipeline, ()), 0), **self.found.rows.get(pipeline, {})}

    def next_round(self, found: ErasureFindings) -> EraseState:
        """All that was found is deleted, and there is more."""
        return replace(self, before=self.all_found, found=found, rounds=self.rounds + 1)

    def encode(self) -> bytes:
        """The document as bytes."""
        return encode_sealed(
            {
                **{name: getattr(self, name) for name in ("erase_id", "begun_at", "certificate", "rounds")},
                "subject": self.subject.as_json(),
                "interval": self.interval.as_json() if self.interval else None,
                "run": dict(self.run),
                "before": self.before.as_json(),
                "found": self.found.as_json(),
                "seen": list(self.seen),
            }
        )

    @classmethod
    def decode(cls, data: bytes, about: str) -> EraseState:
        """Undo ``encode``.

        :param about: where it is, for the message
        :raises ArchiveMismatch: when its bytes were changed
        """
        values = decode_sealed(data, about)
        try:
            interval = values["interval"]
            return cls(
                **{name: values[name] for name in ("erase_id", "begun_at", "certificate", "rounds", "run")},
                subject=Subject.from_json(values["subject"]),
                interval=Interval.from_json(interval) if interval else None,
                before=ErasureFindings.from_json(values["before"]),
                found=ErasureFindings.from_json(values["found"]),
                seen=tuple(values.get("seen", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(about, f"{type(error).__name__}: {error}") from None


def find_state(spec: EraseSpec) -> Steps[EraseState | None]:
    """The same erasure, which a run has begun and not finished.

    :raises ArchiveMismatch: when the document of one is damaged
    """
    folder = erasures_folder(spec.archive.folder)
    for name in (yield from ask(ListFolder(folder))):
        if not is_state(name):
            continue
        path = f"{folder}/{name}"
        data = yield from ask(ReadBytes(path))
        if data is None:
            continue  # another run has finished it meanwhile
        state = EraseState.decode(data, path)
        if state.interval == spec.interval and state.subject.is_of(spec.tags):
            return state
    return None


def write_state(spec: EraseSpec, state: EraseState) -> Steps[None]:
    """Remember how far it is."""
    yield from ask(PutOver(_path(spec, state), state.encode()))


def forget_state(spec: EraseSpec, state: EraseState) -> Steps[None]:
    """The certificate says it all."""
    yield from ask(RemoveFiles((_path(spec, state),)))


def _path(spec: EraseSpec, state: EraseState) -> str:
    return f"{erasures_folder(spec.archive.folder)}/{state_name(state.erase_id)}"


def new_state(spec: EraseSpec, subject: Subject, run: Any, begun_at: str, certificate: int) -> EraseState:
    """An erasure that begins."""
    return EraseState(
        erase_id=subject.label,
        subject=subject,
        interval=spec.interval,
        begun_at=begun_at,
        certificate=certificate,
        run=asdict(run),
    )
