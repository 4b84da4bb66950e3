"""The receipts of one run of one pipeline: what the ledger knew before, and what the run adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import ClaimedWindow
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.codec import CLAIMED_BY, encode_alike, encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBook:
    """Makes the receipts of one run.

    :param previous: receipts the ledger had, by window
    :param forced: frozen windows that are written anyway
    :param claim_id: of the run, for the windows that it makes WRITING
    :param template_hash: of the template of a script, when it has one
    """

    ledger_bucket: str
    pipeline: str
    stage: str
    spec_hash: str
    run: RunInfo
    previous: Mapping[Interval, Receipt]
    forced: frozenset[Interval] = frozenset()
    claim_id: str = ""
    template_hash: str | None = None

    def claiming(self, now: datetime) -> ReceiptBook:
        """The book with a claim of its own.

        :param now: when the windows become WRITING
        """
        # of two runs the same one gives way each time, so the run comes before the time
        return replace(self, claim_id=claims_begin_with(self.run) + _half_a_claim(str(to_ns(now))))

    def receipt(self, window: Interval, state: State, now: datetime) -> Receipt:
        """A receipt of a window, with the generation and the numbers of its last commit."""
        # rows and checksum stay those of the last commit: a rerun that dies must not hide what was there
        return self._made(window, state, now)

    def committed(
        self,
        window: Interval,
        now: datetime,
        *,
        rows_in: int,
        rows_out: int,
        series: int,
        checksum: str,
        seconds: float,
        merged_from: str | None = None,
    ) -> Receipt:
        """The receipt of a window that was read back and is right: the next generation.

        :param merged_from: of a tier
        """
        known = self.previous.get(window)
        return self._made(
            window,
            State.COMMITTED,
            now,
            generation=known.generation + 1 if known else 1,
            rows_in=rows_in,
            rows_out=rows_out,
            series=series,
            checksum=checksum,
            seconds=seconds,
            merged_from=merged_from,
        )

    def _made(self, window: Interval, state: State, now: datetime, **numbers: Any) -> Receipt:
        """A receipt of this run, made in one go: thousands are made in a row."""
        known = self.previous.get(window)
        # an empty one is written over that of an earlier run
        empty = "" if known is not None and known.template_hash else None
        own = {
            "state": state,
            "written_at": now,
            "spec_hash": self.spec_hash,
            "forced": window in self.forced,
            "claim_id": self.claim_id,
            "template_hash": self.template_hash or empty,
            **_signature(self.run),
            **numbers,
        }
        if known is None:
            return Receipt(pipeline=self.pipeline, stage=self.stage, window=window, **own)
        return replace(known, **own)

    def seeing(self, windows: Iterable[Interval], claims: Mapping[datetime, ClaimedWindow]) -> ReceiptBook:
        """The book with what other runs have committed between the plan of this one and its claim.

        :param claims: by the windows' starts
        """
        previous = dict(self.previous)
        for window in windows:
            last, known = claims.get(window.start), self._known(window, window.stop)
            if last is not None and last.generation > known.generation:
                previous[window] = replace(known, generation=last.generation, rows_in=last.rows_in)
        return replace(self, previous=previous)

    def _known(self, window: Interval, now: datetime) -> Receipt:
        """What the ledger had of a window, or as much as nothing."""
        return self.previous.get(window) or Receipt(
            pipeline=self.pipeline,
            stage=self.stage,
            window=window,
            state=State.PLANNED,
            written_at=now,
            spec_hash=self.spec_hash,
        )

    def lines(self, windows: Iterable[Interval], state: State, now: datetime) -> list[str]:
        """Line protocol of windows in a state."""
        lines: list[str] = []
        number = 0
        for is_new, some in groupby(windows, self._is_new):
            group = list(some)
            if is_new:
                lines += encode_alike(self.receipt(group[0], state, now), group, number)
            else:
                lines += encode_receipts((self.receipt(window, state, now) for window in group), number)
            number += len(group)
        return lines

    def _is_new(self, window: Interval) -> bool:
        """Whether nothing but its times tells a window from the others of the run."""
        return window not in self.previous and window not in self.forced

    def mark(self, windows: Iterable[Interval], state: State, now: datetime) -> Steps[None]:
        """Write windows in a state to the ledger."""
        yield from ask(Write(self.ledger_bucket, self.lines(windows, state, now)))

    def unknown(self, windows: Iterable[Interval]) -> list[Interval]:
        """Windows the ledger has no receipt of."""
        return [window for window in windows if window not in self.previous]

    def committed_before(self, windows: Iterable[Interval]) -> int:
        """Number of windows that were COMMITTED before this run."""
        return sum(1 for window in windows if window in self.previous and self.previous[window].is_committed)


def claims_begin_with(run: RunInfo) -> str:
    """What all claims of a try begin with, and those of no other try or run."""
    names = [run.dag_id, run.task_id, run.run_id, str(run.map_index), str(run.try_number)]
    return _half_a_claim(chr(0).join([*names, run.began] if run.began else names))


def _half_a_claim(text: str) -> str:
    return f"{text_hash(text, CLAIMED_BY) >> 32:08x}"


def signed(receipt: Receipt, run: RunInfo) -> Receipt:
    """A receipt that says which run wrote it, and why."""
    return replace(receipt, **_signature(run))


def _signature(run: RunInfo) -> dict[str, Any]:
    return {
        "dag_id": run.dag_id,
        "task_id": run.task_id,
        "run_id": run.run_id,
        "try_number": run.try_number,
        "map_index": run.map_index,
        "reason": run.reason,
    }
