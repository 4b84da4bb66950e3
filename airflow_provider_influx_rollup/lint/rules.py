"""The rules by their names; ``docs/reference/lint.md`` has a section for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.lint.finding import Finding, Severity, start_of

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding.

    :param summary: what it finds, for lists
    :param needs_server: whether only a server can tell
    """

    name: str
    severity: Severity
    summary: str
    needs_server: bool = False

    def found(self, node: Mapping[str, Any], message: str, fix: str) -> Finding:
        """A finding at a node of the syntax tree."""
        return self.found_at(start_of(node), message, fix)

    def found_at(self, place: tuple[int, int], message: str, fix: str) -> Finding:
        """A finding at a line and a column."""
        line, column = place
        return Finding(
            name=self.name, severity=self.severity, line=line, column=column, message=message, fix=fix
        )


NOT_RENDERED = Rule("not-rendered", ERROR, "a template that no Flux could be made of")
NOT_READ = Rule("not-read", WARNING, "a script that nothing can be said of without a server")
TOO_DEEP = Rule("too-deep", ERROR, "expressions that a server cannot be asked to parse")
SYNTAX = Rule("syntax", ERROR, "the text is no Flux")
SEMANTICS = Rule("semantics", ERROR, "an undefined name, a wrong type, a wrong argument", needs_server=True)
MISSING_BUCKET = Rule("missing-bucket", ERROR, "a bucket that the token does not see", needs_server=True)
NO_RANGE = Rule("no-range", ERROR, "a read without range()")
UNBOUNDED_RANGE = Rule("unbounded-range", WARNING, "a read of all that a bucket ever held")
FIXED_RANGE = Rule("fixed-range", ERROR, "a script that writes reads the same time in each run")
WALL_CLOCK_RANGE = Rule("wall-clock-range", WARNING, "a range that is not the window of the run")
WINDOW_ALIGNMENT = Rule("window-alignment", WARNING, "windows that the range cuts")
SETS_BOUND_NAME = Rule("sets-bound-name", ERROR, "the script sets v, now or params itself")
READS_OWN_TARGET = Rule("reads-own-target", ERROR, "a write into a bucket that the script reads")
LOST_COLUMNS = Rule("lost-columns", ERROR, "columns that to() needs are dropped before it")
SHARED_VARIABLE = Rule("shared-variable", WARNING, "several pipelines read through one variable")
CONTAINS_FILTER = Rule("contains-filter", WARNING, "contains() in a filter of a read")
UNPRUNED_FILTER = Rule("unpruned-filter", WARNING, "a filter that the storage engine cannot use")
LATE_FILTER = Rule("late-filter", WARNING, "a filter behind an aggregate that could be before it")
RAW_READ = Rule("raw-read", WARNING, "the plan reads raw points", needs_server=True)
TOO_MANY_POINTS = Rule("too-many-points", ERROR, "a raw read of more points than allowed", needs_server=True)
BAD_IGNORE = Rule("bad-ignore", NOTE, "a comment that silences nothing, or gives no reason")

RULES = (
    NOT_RENDERED,
    NOT_READ,
    TOO_DEEP,
    SYNTAX,
    SEMANTICS,
    MISSING_BUCKET,
    NO_RANGE,
    UNBOUNDED_RANGE,
    FIXED_RANGE,
    WALL_CLOCK_RANGE,
    WINDOW_ALIGNMENT,
    SETS_BOUND_NAME,
    READS_OWN_TARGET,
    LOST_COLUMNS,
    SHARED_VARIABLE,
    CONTAINS_FILTER,
    UNPRUNED_FILTER,
    LATE_FILTER,
    RAW_READ,
    TOO_MANY_POINTS,
    BAD_IGNORE,
)
RULE_NAMES = frozenset(rule.name for rule in RULES)
#: a script that does not compile cannot be run, whatever a comment says
NEVER_SILENT = frozenset({SYNTAX.name, SEMANTICS.name, TOO_DEEP.name, BAD_IGNORE.name})
