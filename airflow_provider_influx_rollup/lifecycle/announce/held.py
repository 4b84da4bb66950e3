"""What other DAGs are to be told of places whose windows have no receipts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux.announced import Told, ToldWindows
from airflow_provider_influx_rollup.ledger.announced import TOLD_OF, encode_told
from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed, author_of
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A place after a run of a stage.

    :param uri: its asset
    :param about: what tells it from other runs of the stage about the same asset and time; empty where there are none
    :param windows: those that the run was about, whether it has changed them or not
    """

    uri: str
    pipeline: str
    stage: str
    windows: Sequence[HeldWindow]
    about: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its records in the ledger."""
        return {"pipeline": self.pipeline, "stage": self.stage, TOLD_OF: self.uri + self.about}


def announce_held(ledger_bucket: str, held: Sequence[Held], run: RunInfo) -> Steps[list[Changed]]:
    """Find the windows whose rows are others than were told of, and note that they are told.

    :param ledger_bucket: bucket of the notes; made on demand
    :param held: the places that the run was about
    :param run: who tells it; a later try of the same task run tells it again, as this one may die before Airflow has heard
    :return: the places that have such windows
    """
    held = [one for one in held if one.windows]
    if not held:
        return []
    spans = [Interval.spanning([window.window for window in one.windows]) for one in held]
    yield from ensure_ledger(ledger_bucket, spans[0])
    queries = [
        ToldWindows(ledger_bucket=ledger_bucket, interval=span, **one.tags)
        for one, span in zip(held, spans, strict=True)
    ]
    found = yield from gather(*queries)
    author = author_of(run)
    changed: list[Changed] = []
    lines: list[str] = []
    for one, told in zip(held, found, strict=True):
        news = [window for window in one.windows if _is_news(window, told.get(window.window.start), author)]
        if news:
            whole = [window.window for window in news]
            changed.append(
                Changed(
                    pipeline=one.pipeline,
                    stage=one.stage,
                    place=None,
                    uri=one.uri,
                    windows=news,
                    partitions=whole,
                )
            )
            lines += encode_told(one.tags, {window.window: window.checksum for window in news}, author)
    if lines:
        yield from ask(Write(ledger_bucket, lines))
    return changed


def _is_news(window: HeldWindow, told: Told | None, author: str) -> bool:
    return told is None or told.checksum != window.checksum or told.by == author
