"""Plan the change of a task, with its differences as text."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum

from airflow_provider_influx_rollup.lifecycle.native_tasks.record import DeployRecord, record_of, script_hash
from airflow_provider_influx_rollup.steps.tasks import NativeTask


class Action(Enum):
    """Action of a deploy on a task."""

    CREATED = "created"
    UPDATED = "updated"
    ADOPTED = "adopted"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    #: somebody has changed it by hand, or it is not ours: it stays as it is unless that is asked for
    DRIFTED = "drifted"


@dataclass(frozen=True, slots=True)
class WantedTask:
    """A task as it shall be.

    :param name: of its ``option task``
    :param flux: the whole script, with the ``v`` that was put in
    :param record: what its description will tell, with the status
    :param declared: the script as its author wrote it
    """

    name: str
    flux: str
    record: DeployRecord
    declared: str


@dataclass(frozen=True, slots=True)
class Change:
    """Action of a deploy, and its reason.

    :param parts: what differs: ``"flux"``, ``"status"``, ``"description"``
    :param diff: unified, of script and status; empty when both are equal
    :param is_of_deploy: whether a deploy has made the task that there is
    """

    action: Action
    parts: tuple[str, ...] = ()
    diff: str = ""
    is_of_deploy: bool = True


def change_of(found: NativeTask | None, wanted: WantedTask, *, overwrite: bool = False) -> Change:
    """Decide what a deploy does.

    :param found: the task of this name, if there is one
    :param overwrite: whether what was changed by hand may be lost
    """
    if found is None:
        return Change(Action.CREATED, ("flux", "status", "description"), _diff(None, wanted))
    parts = _parts(found, wanted)
    if not parts:
        return Change(Action.UNCHANGED)
    diff = _diff(found, wanted)
    record = record_of(found)
    is_theirs = record is None or not record.matches(found)
    lost = {"flux", "status"} & set(parts)
    if record is None and found.flux.rstrip() == wanted.declared.rstrip():
        # of the same script, which only lacks what a deploy puts in, nothing is lost
        lost.discard("flux")
    if is_theirs and lost and not overwrite:
        return Change(Action.DRIFTED, parts, diff, is_of_deploy=record is not None)
    return Change(Action.ADOPTED if record is None else Action.UPDATED, parts, diff)


def removal_of(found: NativeTask | None, *, overwrite: bool = False) -> Change:
    """Decide what a deploy with ``state="absent"`` does.

    :param found: the task of this name, if there is one
    :param overwrite: whether what was changed by hand may be lost
    """
    if found is None:
        return Change(Action.UNCHANGED)
    record = record_of(found)
    is_theirs = record is None or record.script != script_hash(found.flux)
    parts = ("flux", "status", "description")
    if is_theirs and not overwrite:
        return Change(Action.DRIFTED, parts, _diff(found, None), is_of_deploy=record is not None)
    return Change(Action.DELETED, parts, _diff(found, None))


def _parts(found: NativeTask, wanted: WantedTask) -> tuple[str, ...]:
    pairs = {
        # templates lose the line break at their end, and editors put one there
        "flux": (found.flux.rstrip(), wanted.flux.rstrip()),
        "status": (found.status, wanted.record.status),
        "description": (found.description, wanted.record.description()),
    }
    return tuple(name for name, (before, after) in pairs.items() if before != after)


def _diff(found: NativeTask | None, wanted: WantedTask | None) -> str:
    """The change of script and status, as ``diff -u`` shows it."""
    before = [] if found is None else _lines(found.status, found.flux)
    after = [] if wanted is None else _lines(wanted.record.status, wanted.flux)
    lines = difflib.unified_diff(before, after, "InfluxDB", "deploy", lineterm="")
    return "\n".join(lines)


def _lines(status: str, flux: str) -> list[str]:
    return [f"// status: {status}", *flux.splitlines()]
