"""What receipts of tiers say of the tier below, while an erasure makes the receipts of both right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.merged_from import known_tier_below, read_windows_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.steps.step import Steps


@dataclass(frozen=True, slots=True)
class ReplacedChecksums:
    """Checksums that the erasure has put in place of others: the rows behind both differ by nothing but the series.

    :param earlier: by pipeline and start, the checksum that was replaced, and the one that is in its place
    """

    earlier: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)

    def note(self, before: Receipt, made: Receipt) -> None:
        """Remember the checksum of a receipt that is made right."""
        self.earlier[before.pipeline, before.window.start_ns] = before.checksum, made.checksum

    def before(self, pipeline: str, now: LowerWindows) -> LowerWindows:
        """What windows held before, but for those that a run has committed since."""

        def checksums() -> Iterator[str]:
            for start, checksum in zip(now.starts, now.checksums, strict=True):
                before, after = self.earlier.get((pipeline, start), ("", ""))
                yield before if checksum == after else checksum

        return LowerWindows(now.starts, now.committed_ns, tuple(checksums()))


def merged_from_now(
    spec: RollupSpec, stored: Sequence[StoredSpec], receipts: Sequence[Receipt], replaced: ReplacedChecksums
) -> Steps[list[str | None]]:
    """What each receipt of a tier says after its rows and those of the tier below have lost the series.

    One that was merged from what the tier below held keeps to that; one that was not stays one that was not.

    :param stored: the specs of the ledger, the last used first
    """
    below = known_tier_below(spec, stored)
    if below is None:
        return [None if one.merged_from is None else "" for one in receipts]
    now = yield from read_windows_of(spec.ledger_bucket, below.name, [one.window for one in receipts])
    before = replaced.before(below.name, now)
    return [_merged_from(one, before, now) for one in receipts]


def _merged_from(receipt: Receipt, before: LowerWindows, now: LowerWindows) -> str | None:
    if receipt.merged_from and receipt.merged_from == before.hash_of(receipt.window):
        return now.hash_of(receipt.window)
    # where an earlier try has replaced checksums, a right day may be asked for once too often, and no wrong one is hidden
    return receipt.merged_from
