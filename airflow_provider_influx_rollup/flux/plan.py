"""Ask the server for a query's plan, and read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.extern import extern_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLAN_COLUMN = "flux/query-plan"

_NODE = re.compile(r'^\s*"([^"]+)"\s*$', re.MULTILINE)
_EDGE = re.compile(r'^\s*"([^"]+)"\s*->\s*"([^"]+)"\s*$', re.MULTILINE)
_READ = re.compile(r"(?:^|_)(Read[A-Za-z]+)")
_RAW = frozenset({"ReadRange", "ReadGroup"})


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The physical plan of a query.

    :param nodes: the names of its steps, such as ``"ReadRange2"``
    :param edges: (from, to) pairs of names
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """The steps that read from storage."""
        return tuple(node for node in self.nodes if _READ.search(node))

    @property
    def raw_reads(self) -> tuple[str, ...]:
        """The steps that hand every raw point to the query engine."""
        return tuple(node for node in self.reads if _read_kind(node) in _RAW)

    @property
    def pushed_reads(self) -> tuple[str, ...]:
        """The steps where the storage engine aggregates, or answers from its index."""
        return tuple(node for node in self.reads if _read_kind(node) not in _RAW)

    @property
    def is_pushed_down(self) -> bool:
        """Whether nothing is read raw."""
        return not self.raw_reads

    def steps_after(self, node: str) -> tuple[str, ...]:
        """Return the kinds of the steps that take a node's rows, such as ``("map",)``."""
        return tuple(dict.fromkeys(step_kind(after) for before, after in self.edges if before == node))


def plan_extern(
    v: Mapping[str, object] | None = None, params: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return the extern file that makes a query answer with its plan; its text stays as it is.

    :param v: see :func:`~airflow_provider_influx_rollup.flux.extern.extern_file`
    :param params: likewise
    """
    return extern_file(v=v, params=params, profilers=["query"])


def read_plan(rows: Iterable[Mapping[str, Any]]) -> QueryPlan | None:
    """Return the plan in the rows of a profiled query; None when they hold none."""
    for row in rows:
        text = row.get(PLAN_COLUMN)
        if text:
            edges = tuple((before, after) for before, after in _EDGE.findall(text))
            return QueryPlan(tuple(_NODE.findall(text)), edges)
    return None


def describe_raw_reads(plan: QueryPlan) -> str:
    """Return one line such as ``ReadRange2 feeds map``."""
    return "; ".join(_describe(plan, node) for node in plan.raw_reads)


def step_kind(node: str) -> str:
    """Return the name of a step without its number, and ``map`` for ``vectorizedMap``."""
    if _READ.search(node):
        return _read_kind(node)
    kind = re.sub(r"\d+$", "", node)
    return "map" if kind == "vectorizedMap" else kind


def _describe(plan: QueryPlan, node: str) -> str:
    steps: Sequence[str] = plan.steps_after(node)
    return f"{step_kind(node)} feeds {' and '.join(steps)}" if steps else f"{step_kind(node)} is returned"


def _read_kind(node: str) -> str:
    found = _READ.search(node)
    return found[1] if found else ""
