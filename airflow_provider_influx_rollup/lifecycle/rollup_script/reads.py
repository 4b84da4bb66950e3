"""Sources that a user's script may read, as far as its text tells."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.flux.bucket_reads import BucketRead
from airflow_provider_influx_rollup.flux.script import ScriptFacts
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.windows.interval import Interval

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")
# any of these may let measurements through that the text does not name
_OPEN_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*(?:=~|!~|!=)""")


@dataclass(frozen=True, slots=True)
class PurgedRead:
    """A window for which a script reads purged points that are not the window's.

    :param mark: the first that it reaches
    :param bucket: what the bucket of the mark is called now
    :param span: what the script reads of it
    """

    window: Interval
    mark: PurgeMark
    bucket: str
    span: Interval

    @property
    def points(self) -> tuple[str, str]:
        """Bucket and measurement."""
        return self.bucket, self.mark.measurement

    @property
    def note(self) -> str:
        """One sentence for people."""
        return (
            f"for {self.window} the script reads {self.bucket}/{self.mark.measurement} in {self.span}, where points were purged, "
            f"as in {self.mark.window}: it makes its rows of what is left; restore the points and run again if it needs them"
        )


@dataclass(frozen=True, slots=True)
class ScriptReads:
    """Sources that a script may read.

    :param facts: what its syntax tree says
    :param text: the script, and the values of its parameters
    :param told: purged points outside the windows, of which people have been told
    """

    ledger_bucket: str
    facts: ScriptFacts
    text: str
    told: tuple[PurgedRead, ...] = ()

    @classmethod
    def of(cls, ledger_bucket: str, facts: ScriptFacts, script: str, params: Any) -> ScriptReads:
        """Sources that a script may read with these parameters."""
        return cls(ledger_bucket, facts, text_of(script, params))

    @property
    def reads_buckets(self) -> bool:
        """Whether it reads any."""
        return bool(self.facts.buckets_read or self.facts.bucket_ids_read or self.facts.has_unnamed_reads)

    def span_of(self, window: Interval) -> Interval:
        """The time that it may read for a window, in any bucket."""
        found = (read.interval(window) for read in self.facts.reads)
        return Interval.spanning([window, *(one for one in found if one is not None)])

    def purged_read(
        self, mark: PurgeMark, present_name: str, windows: Sequence[Interval]
    ) -> PurgedRead | None:
        """The first window for which one of its chains reaches points that were purged.

        :param mark: one that it may need
        :param present_name: what the bucket of the mark is called now
        """
        reads = [
            read
            for read in self._reads_of(present_name, mark.bucket_id)
            if read.measurements is None or mark.measurement in read.measurements
        ]
        for window in windows if reads else ():
            spans = [read.interval(window) for read in reads]
            reached = [span for span in spans if span is not None and span.overlaps(mark.window)]
            if reached:
                return PurgedRead(window, mark, present_name, Interval.spanning(reached))
        return None

    def may_need(self, mark: PurgeMark, present_name: str) -> bool:
        """Whether it may read points that were purged.

        :param present_name: what the bucket of the mark is called now
        """
        return self.may_read(mark.measurement, present_name, mark.bucket_id)

    def may_read(self, measurement: str, bucket: str, bucket_id: str) -> bool:
        """Whether it may read points of a measurement.

        :param bucket: its name now
        """
        is_read = bucket in self.facts.buckets_read or bucket_id in self.facts.bucket_ids_read
        is_named = self.facts.has_unnamed_reads and bool(bucket) and bucket in self.text
        # what one chain names says nothing of another one
        reads_all = any(read.reads_all for read in self._reads_of(bucket, bucket_id))
        return (is_read or is_named) and (reads_all or may_read(self.text, measurement))

    def _reads_of(self, bucket: str, bucket_id: str) -> list[BucketRead]:
        """The chains that read a bucket."""
        return [read for read in self.facts.reads if bucket == read.bucket or bucket_id == read.bucket_id]


def text_of(script: str, params: Any) -> str:
    """A script and the values of its parameters, in which names are looked for."""
    return f"{script}\n{json.dumps(params, ensure_ascii=False, default=str)}"


def may_read(text: str, measurement: str) -> bool:
    """Whether a text names a measurement, as it is or escaped, or does not say which: then the script may read all of them.

    :param text: as ``text_of`` makes it
    """
    # Flux and JSON escape quotes and backslashes alike
    escaped = json.dumps(measurement, ensure_ascii=False)[1:-1]
    is_named = measurement in text or escaped in text
    return is_named or not NAMED_MEASUREMENT.search(text) or bool(_OPEN_MEASUREMENT.search(text))
