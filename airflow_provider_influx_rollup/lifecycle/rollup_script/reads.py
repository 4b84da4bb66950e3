"""Sources that a user's script may read, as far as its text tells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.flux.script import ScriptFacts
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.windows.interval import Interval

NAMED_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*==""")
# any of these may let measurements through that the text does not name
_OPEN_MEASUREMENT = re.compile(r"""_measurement"?\]?\s*(?:=~|!~|!=)""")


@dataclass(frozen=True, slots=True)
class ScriptReads:
    """Sources that a script may read.

    :param facts: what its syntax tree says
    :param text: the script, and the values of its parameters
    """

    ledger_bucket: str
    facts: ScriptFacts
    text: str

    @classmethod
    def of(cls, ledger_bucket: str, facts: ScriptFacts, script: str, params: Any) -> ScriptReads:
        """Sources that a script may read with these parameters."""
        return cls(ledger_bucket, facts, text_of(script, params))

    @property
    def reads_buckets(self) -> bool:
        """Whether it reads any."""
        return bool(self.facts.buckets_read or self.facts.bucket_ids_read or self.facts.has_unnamed_reads)

    def span_of(self, window: Interval) -> Interval:
        """The time that it may read for a window, which a range may begin before."""
        return Interval.spanning([span.with_window(window) for span in self.facts.spans] or [window])

    def may_need(self, mark: PurgeMark, present_name: str) -> bool:
        """Whether it may read points that were purged.

        :param present_name: what the bucket of the mark is called now
        """
        is_read = present_name in self.facts.buckets_read or mark.bucket_id in self.facts.bucket_ids_read
        is_named = self.facts.has_unnamed_reads and bool(present_name) and present_name in self.text
        return (is_read or is_named) and may_read(self.text, mark.measurement)


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
