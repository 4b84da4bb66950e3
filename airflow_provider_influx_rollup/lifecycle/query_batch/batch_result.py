"""What became of a batch: small JSON, with answers that are kept and failures that are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.query.query import MAX_CHARACTERS, QueryAnswer
from airflow_provider_influx_rollup.lifecycle.query_batch.spec import Question
from airflow_provider_influx_rollup.windows.interval import Interval

#: of answers and of failures, that the result lists; it travels through Airflow's database
MOST_LISTED = 1000
MOST_FAILURES = 100
MAX_MESSAGE = 500


@dataclass(slots=True, kw_only=True)
class BatchResult:
    """Collects what became of each question.

    :param questions: all of them, in order
    :param reason: why some were not asked, if so
    :param asked_again: how many were asked a second time
    """

    window: Interval
    questions: Sequence[Question]
    reason: str | None = None
    asked_again: int = 0
    rows: int = 0
    failed: dict[int, InfluxRollupError] = field(default_factory=dict)
    _answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    _answered: int = 0
    _characters: int = 0

    @property
    def answered(self) -> int:
        """How many have an answer."""
        return self._answered

    @property
    def not_asked(self) -> int:
        """How many were never asked."""
        return len(self.questions) - self._answered - len(self.failed)

    def add(self, number: int, outcome: QueryAnswer | InfluxRollupError) -> None:
        """Keep what became of a question, as far as it is small.

        :param number: of the question
        """
        if isinstance(outcome, InfluxRollupError):
            self.failed[number] = outcome
            return
        self.failed.pop(number, None)
        self._answered += 1
        self.rows += outcome.rows
        if len(self._answers) < MOST_LISTED:
            self._answers[number] = self._small(self.questions[number].name, outcome)

    def _small(self, name: str, answer: QueryAnswer) -> dict[str, Any]:
        whole = {"query": name, **answer.as_json()}
        rows = whole.pop("first_rows")
        kept: list[dict[str, Any]] = []
        for row in rows:
            self._characters += len(json.dumps(row))
            if self._characters > MAX_CHARACTERS:
                break
            kept.append(row)
        return {**whole, "first_rows": kept}

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        failed = sorted(self.failed.items())
        return {
            "window": self.window.as_json(),
            "queries": len(self.questions),
            "answered": self._answered,
            "failed": len(failed),
            "not_asked": self.not_asked,
            "reason_not_asked": self.reason if self.not_asked else None,
            "asked_again": self.asked_again,
            "rows": self.rows,
            "answers": [answer for _, answer in sorted(self._answers.items())],
            "answers_left_out": self._answered - len(self._answers),
            "failures": [self._failure(number, error) for number, error in failed[:MOST_FAILURES]],
            "may_pass": not all(error.permanent for _, error in failed) or not failed,
        }

    def _failure(self, number: int, error: InfluxRollupError) -> dict[str, Any]:
        question = self.questions[number]
        return {
            "query": question.name,
            "window": question.window.as_json(),
            "error": type(error).__name__,
            "message": error.what[:MAX_MESSAGE],
            "to_do": error.fix,
        }
