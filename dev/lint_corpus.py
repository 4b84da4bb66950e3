"""Scripts with planted faults and sound ones, what lint finds in them, and the table of both: ``python -m dev.lint_corpus``.

A script says itself what is wrong with it: ``// expect NAME:COLUMN`` at the end of a line, or ``// expect-at LINE:COLUMN NAME``
on a line of its own. ``(server)`` after it: only a server can tell.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
from airflow_provider_influx_rollup.lint.report import LintReport, lint_text
from airflow_provider_influx_rollup.lint.rules import RULES
from dev.influx_http import InfluxAddress

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "lint_corpus"
MISSING_BUCKETS = frozenset({"iott", "no_such_target", "nowhere", "outdoors", "plant_peaks"})

Place = tuple[int, int, str]
Linter = Callable[[str], LintReport]

_AT_END = re.compile(r"// expect (\S.*)$")
_ONE = re.compile(r"([\w-]+):(\d+)( \(server\))?")
_ELSEWHERE = re.compile(r"^// expect-at (\d+):(\d+) ([\w-]+)( \(server\))?$")
_NEEDS_SERVER = frozenset(rule.name for rule in RULES if rule.needs_server)


@dataclass(frozen=True, slots=True)
class CorpusScript:
    """A script and what is wrong with it.

    :param kind: ``planted``, ``sound`` or ``articles``
    :param expected: line, column and rule of each finding that there should be
    :param seen_in_text: those that no server is needed for
    """

    kind: str
    name: str
    text: str
    expected: frozenset[Place]
    seen_in_text: frozenset[Place]

    def __str__(self) -> str:
        """For the names of tests."""
        return f"{self.kind}/{self.name}"


def corpus() -> list[CorpusScript]:
    """All scripts, by name."""
    return [_script(path) for path in sorted(CORPUS.glob("*/*.flux"))]


def _script(path: Path) -> CorpusScript:
    text = path.read_text()
    marks = list(_marks(text))
    in_text = frozenset(place for place, needs_server in marks if not needs_server)
    return CorpusScript(path.parent.name, path.stem, text, frozenset(place for place, _ in marks), in_text)


def _marks(text: str) -> Iterator[tuple[Place, bool]]:
    for number, line in enumerate(text.split("\n"), 1):
        if found := _AT_END.search(line):
            for name, column, mark in _ONE.findall(found[1]):
                yield (number, int(column), name), bool(mark) or name in _NEEDS_SERVER
        if found := _ELSEWHERE.match(line):
            place = (int(found[1]), int(found[2]), found[3])
            yield place, bool(found[4]) or found[3] in _NEEDS_SERVER


def buckets_of(scripts: Iterable[CorpusScript]) -> list[str]:
    """The buckets that the scripts take for granted."""
    named = {name for one in scripts for name in re.findall(r'"(\w+)"\)?', one.text) if _is_bucket(name, one)}
    return sorted(named - MISSING_BUCKETS)


def _is_bucket(name: str, script: CorpusScript) -> bool:
    return f'bucket: "{name}"' in script.text or (name == "iot" and f'= "{name}"' in script.text)


def found_in(report: LintReport) -> set[Place]:
    """Line, column and rule of each finding."""
    return {(one.line, one.column, one.name) for one in report.findings}


def table(scripts: Sequence[CorpusScript], linter: Linter) -> str:
    """How well each rule does on a server, and what is found of it without one, as Markdown."""
    planted, found, false, in_text, false_in_text = (Counter[str]() for _ in range(5))
    for script in scripts:
        reported, read = found_in(linter(script.text)), found_in(lint_text(script.text))
        planted.update(name for *_, name in script.expected)
        found.update(name for *_, name in reported & script.expected)
        false.update(name for *_, name in reported - script.expected)
        # a parser of its own says in the right line what it missed, and not always in the same column
        lines = {(line, name) for line, _, name in script.expected}
        right = {one for one in read if (one[0], one[2]) in lines}
        in_text.update(name for *_, name in right)
        false_in_text.update(name for *_, name in read - right)
    rows = [
        "| Rule | Planted | Found | False alarms | Found without a server | False alarms without a server |",
        "|---|---|---|---|---|---|",
    ]
    for rule in RULES:
        numbers = [planted[rule.name], found[rule.name], false[rule.name]]
        text = ["", ""] if rule.needs_server else [in_text[rule.name], false_in_text[rule.name]]
        rows.append(f"| `{rule.name}` | {' | '.join(str(one) for one in [*numbers, *text])} |")
    return "\n".join([*rows, "", _totals(len(scripts), planted, found, false)])


def _totals(scripts: int, planted: Counter[str], found: Counter[str], false: Counter[str]) -> str:
    reported = found.total() + false.total()
    precision, recall = (f"{found.total() / one:.1%}" for one in (reported, planted.total()))
    return (
        f"{scripts} scripts, {planted.total()} faults: precision {precision} ({found.total()} of {reported} findings are right), "
        f"recall {recall} ({found.total()} of {planted.total()} faults are found, each at its line and column)."
    )


def linter_on(client: InfluxClient) -> Linter:
    """Lint by a server, each script once."""

    @cache
    def linter(text: str) -> LintReport:
        return drive(lint_script(LintSpec(flux=text)), client, lambda _report: None)

    return linter


def main() -> None:
    """Print the table."""
    address = InfluxAddress(*(os.environ[name] for name in ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN")))
    scripts = corpus()
    settings = ClientSettings(url=address.url, org=address.org, token=lambda _refresh: address.token)
    with address.buckets_made_meanwhile_deleted(), InfluxClient(settings) as client:
        for bucket in buckets_of(scripts):
            client.ensure_bucket(bucket)
        sys.stdout.write(table(scripts, linter_on(client)) + "\n")


if __name__ == "__main__":
    main()
