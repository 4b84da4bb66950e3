"""Texts of the ledger that name series: written again without those of some tags."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.ledger.codec import EVENT_MEASUREMENT, RECEIPT_MEASUREMENT
from airflow_provider_influx_rollup.ledger.lateness import LATENESS_MEASUREMENT
from airflow_provider_influx_rollup.ledger.validation import VALIDATION_MEASUREMENT
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec

#: in place of what a source lacked
NOT_TOLD = "what it lacked named series that were erased"
INCOMPLETE, COMPLETE_WHEN = "incomplete", "complete_when"
# what may follow a tag in a list of series
AFTER_TAG = r"(?=, |; | \(| and \d+ more|$)"


@dataclass(frozen=True, slots=True)
class TextField:
    """A field of the ledger's records whose text names series.

    :param clean: the text without the series; None when it has none of them
    :param tag: the record's tag that has the source's measurement; None when no tag has it
    """

    measurement: str
    field: str
    clean: Callable[[str, EraseSpec], str | None]
    tag: str | None = "measurement"

    @property
    def name(self) -> str:
        """Name in the findings."""
        return self.measurement if self.tag else f"{self.measurement}.{self.field}"

    def fields(self, text: str) -> dict[str, str]:
        """The corrected text of a record.

        :param text: the clean one
        """
        # a mark that can no longer be asked for would stay forever
        also = {INCOMPLETE: ""} if self.field == COMPLETE_WHEN and not text else {}
        return {self.field: text, **also}


def _clean_list(text: str, spec: EraseSpec) -> str | None:
    """A list of series, or of examples."""
    entries = json.loads(text or "[]")
    kept = [entry for entry in entries if not _names(entry, spec.tags)]
    return None if len(kept) == len(entries) else json.dumps(kept, ensure_ascii=False)


def _names(entry: Any, tags: Mapping[str, str]) -> bool:
    """Whether an entry is about a series with the tags, or says so in its text."""
    series = entry[0] if isinstance(entry, list) and entry else None
    if isinstance(entry, Mapping):
        series = entry.get("tags")
    if isinstance(series, Mapping):
        return _has_all(series, tags)
    text = json.dumps(entry, ensure_ascii=False)
    return all(json.dumps(f"{key}={value}", ensure_ascii=False)[1:-1] in text for key, value in tags.items())


def _clean_reason(text: str, spec: EraseSpec) -> str | None:
    """Describe what a window lacked: ``1 series missing: customer=42, device=a``."""
    labels = (re.escape(f"{key}={value}") + AFTER_TAG for key, value in spec.tags.items())
    return NOT_TOLD if all(re.search(label, text) for label in labels) else None


def _clean_question(text: str, spec: EraseSpec) -> str | None:
    """The completeness spec of a window; empty when it asks for these series only."""
    if not text:
        return None
    asked = json.loads(text)
    wanted = asked["spec"]
    if (wanted["bucket"], wanted["measurement"]) not in spec.sources:
        return None
    before = json.dumps(wanted, sort_keys=True)
    is_asked = _clean_filter(wanted, spec.tags)
    expected = wanted["expected"]
    if isinstance(expected, list):
        wanted["expected"] = _others(expected, spec.tags)
        is_asked = is_asked and bool(wanted["expected"])
    for holder in (wanted, expected):
        if isinstance(holder, dict) and holder.get("retired"):
            holder["retired"] = _others(holder["retired"], spec.tags)
    if json.dumps(wanted, sort_keys=True) == before:
        return None
    return json.dumps(asked, sort_keys=True) if is_asked else ""


def _clean_filter(wanted: dict[str, Any], tags: Mapping[str, str]) -> bool:
    """Take the tags out of a filter; False when it lets nothing else through."""
    chosen = wanted.get("tags") or {}
    if not all(value in chosen.get(key, ()) for key, value in tags.items()):
        return True
    several = [key for key in tags if len(chosen[key]) > 1]
    if not several:
        wanted["tags"] = None
        return False
    if len(several) == 1:
        (key,) = several
        chosen[key] = [one for one in chosen[key] if one != tags[key]]
    # of a product of values no one can be left out without others
    return True


def _others(series: Sequence[Mapping[str, str]], tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [one for one in series if not _has_all(one, tags)]


def _has_all(series: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    return all(series.get(key) == value for key, value in tags.items())


NAMING = (
    TextField(LATENESS_MEASUREMENT, "by_series", _clean_list),
    TextField(VALIDATION_MEASUREMENT, "examples", _clean_list),
    TextField(EVENT_MEASUREMENT, INCOMPLETE, _clean_reason, None),
    TextField(RECEIPT_MEASUREMENT, INCOMPLETE, _clean_reason, None),
    TextField(RECEIPT_MEASUREMENT, COMPLETE_WHEN, _clean_question, None),
)
