"""A script as the rules see it: its text, its syntax tree and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.flux.columns import READERS, WRITERS
from airflow_provider_influx_rollup.flux.extern import parameter_node
from airflow_provider_influx_rollup.flux.script import ScriptFacts, script_facts
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    function_path,
    identifiers_used,
    pipelines,
    script_body,
    script_scope,
    stages,
    unwrapped,
    walk,
)
from airflow_provider_influx_rollup.windows.cron import Cron
from airflow_provider_influx_rollup.windows.duration import Duration

Chain = list[Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that could be parsed.

    :param body: its statements
    :param scope: what names mean at its top
    :param chains: its pipelines in order, through its own variables and functions; those of a variable that others go on with
        are parts of theirs
    :param every: length of the windows that it runs for; None when it is not known
    """

    body: Sequence[Node]
    scope: Scope
    chains: Sequence[Chain]
    facts: ScriptFacts
    every: Duration | None

    @classmethod
    def of(
        cls, package: Mapping[str, Any], *, params: Mapping[str, object] | None, every: Duration | None
    ) -> Script:
        """Read a syntax tree.

        :param package: the server's answer to a parse request
        :param params: the values of ``params.<name>``
        :param every: length of the windows; None: as ``option task`` says
        :raises ConfigurationError: when ``option task`` is not made of literals
        """
        facts = script_facts(package, params)
        own = script_scope(package)
        scope = own if params is None else own.with_arguments({"params": parameter_node(params)})
        task = facts.task
        body = script_body(package)
        return cls(
            body=body,
            scope=scope,
            chains=[chain for chain in _chains(body, scope) if chain],
            facts=facts,
            every=every or (None if task is None else task.every or _whole_window(task.cron)),
        )

    @property
    def reads(self) -> Iterator[Chain]:
        """The pipelines that begin with a read of a bucket."""
        return (chain for chain in self.chains if chain[0].function in READERS)

    @property
    def writes(self) -> Iterator[Stage]:
        """Its writes, each place once."""
        seen: set[int] = set()
        for chain in self.chains:
            for stage in chain:
                if stage.function in WRITERS and id(stage.call) not in seen:
                    seen.add(id(stage.call))
                    yield stage

    @property
    def runs_for_windows(self) -> bool:
        """Whether it is made to be run again and again: it writes, or it says how often it runs."""
        return bool(self.facts.writes) or self.facts.task is not None


def _whole_window(cron: str | None) -> Duration | None:
    """Length of the windows between the times of a cron, None when they are not whole."""
    found = None if cron is None else Cron.parse(cron)
    return None if found is None else found.whole_window


def source_of(text: str, node: Node) -> str:
    """The text of a node of the syntax tree.

    :param text: of the whole script
    """
    lines = text.encode().split(b"\n")
    start, end = node["location"]["start"], node["location"]["end"]
    part = lines[start["line"] - 1 : end["line"]]
    part[-1] = part[-1][: end["column"] - 1]
    part[0] = part[0][start["column"] - 1 :]
    return b"\n".join(part).decode()


def _chains(body: Sequence[Node], scope: Scope) -> Iterator[Chain]:
    continued = set(_continued(body, scope))
    for statement in body:
        is_part = statement["type"] == "VariableAssignment" and statement["id"]["name"] in continued
        whole = statement.get("init") if is_part else None
        for pipeline in pipelines(statement):
            if pipeline is not whole:
                yield stages(pipeline, scope)


def _continued(body: Sequence[Node], scope: Scope) -> Iterator[str]:
    """The variables that pipelines continue, or that functions of the script are given or return."""
    for node in walk(list(body)):
        if node["type"] == "PipeExpression":
            yield from _names(unwrapped(node["argument"]))
        elif node["type"] == "VariableAssignment":
            yield from _names(unwrapped(node["init"]))
        elif node["type"] == "FunctionExpression":
            yield from identifiers_used(node["body"])
        elif node["type"] == "CallExpression" and function_path(node["callee"], scope) in scope.variables:
            yield from identifiers_used(node.get("arguments"))


def _names(node: Node) -> Iterator[str]:
    if node["type"] == "Identifier":
        yield node["name"]
