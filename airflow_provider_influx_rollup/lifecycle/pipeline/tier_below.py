"""The state edge between two tiers: a window starts only when the tier below has COMMITTED all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.aggregates.hierarchy import TierRules, require_parts
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules
from airflow_provider_influx_rollup.exceptions import ConfigurationError, ReceiptMissing
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptStates
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import AUTO, NOT_IN_HASH, RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import missing
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.nesting import cells_below

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec

MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class TierBelow:
    """The pipeline that writes the source of a tier.

    :param spec: in force
    :param earlier: its other specs, as JSON, by hash
    """

    name: str
    spec: RollupSpec
    spec_hash: str
    earlier: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Edge:
    """Receipts of the tier below over some windows of a tier.

    :param cells: the windows of the tier below
    :param states: state and spec hash of each that has a receipt
    """

    below: TierBelow
    cells: tuple[Interval, ...]
    states: Mapping[Interval, tuple[State, str]]

    def lacking(self) -> list[Interval]:
        """The windows of the tier below that are not COMMITTED under its present spec."""
        return [
            cell for cell in self.cells if self.states.get(cell) != (State.COMMITTED, self.below.spec_hash)
        ]

    def to_be_redone(self) -> list[Interval]:
        """The windows of the tier below that are COMMITTED under an earlier spec, and will be rolled up again."""
        return [
            cell
            for cell in self.cells
            if (found := self.states.get(cell)) is not None
            and found[0] is State.COMMITTED
            and found[1] != self.below.spec_hash
        ]

    def missing(self, windows: Iterable[Interval]) -> list[Interval]:
        """The windows of the tier that cannot start."""
        lacking = set(self.lacking())
        return missing(windows, [cell for cell in self.cells if cell not in lacking])


def read_edge(spec: RollupSpec, windows: Sequence[Interval], stored: Sequence[StoredSpec]) -> Steps[Edge]:
    """Ask the ledger for the tier below.

    :param windows: of the tier, in ascending order
    :param stored: ``(pipeline, spec_hash, spec)`` of the ledger, the last used first
    :raises ReceiptMissing: when the tier below has never run
    :raises ConfigurationError: when the tier below is another one than the DAG says
    :raises WindowMisaligned: when windows of the tier below do not tile a window
    :raises AggregateNotMergeable: when the tier below does not store a part
    """
    below = find_tier_below(spec, stored)
    grid = below.spec.grid.grid()
    cells = tuple(cell for window in windows for cell in cells_below(grid, window))
    span = Interval.spanning(cells)
    found = yield from ask(ReceiptStates(spec.ledger_bucket, below.name, ROLLUP, span))
    states = {one.window: (one.state, one.spec_hash) for one in found}
    return Edge(below, cells, states)


def find_tier_below(spec: RollupSpec, stored: Iterable[StoredSpec]) -> TierBelow:
    """The pipeline that a tier names, or the only one that writes its source.

    :raises ReceiptMissing: when it has never run
    :raises ConfigurationError: when it writes elsewhere, or several write the source
    """
    by_name: dict[str, list[StoredSpec]] = {}
    for one in stored:
        by_name.setdefault(one.pipeline, []).append(one)
    source = (spec.source_bucket, spec.measurement)
    writers = [name for name, specs in by_name.items() if specs[0].place == source]
    name = _only_writer(spec, writers) if spec.source_tier == AUTO else str(spec.source_tier)
    if name not in by_name:
        what = f"pipeline {name!r}, which pipeline {spec.pipeline_name!r} is merged from, has never run with the ledger {spec.ledger_bucket!r}"
        fix = f"run it first, or name one that writes {_source(spec)}: {', '.join(writers) or 'there is none yet'}"
        raise ReceiptMissing(what, written="nothing", fix=fix)
    newest, *earlier = by_name[name]
    if name not in writers:
        what = f"pipeline {name!r} does not roll up into {_source(spec)}, which pipeline {spec.pipeline_name!r} reads"
        fix = f"name the pipeline that does: {', '.join(writers) or 'there is none yet'}"
        raise ConfigurationError(what, written="nothing", fix=fix)
    below = newest.rollup()
    require_readable(spec, below, name)
    return TierBelow(name, below, newest.spec_hash, {one.spec_hash: one.values for one in earlier})


def require_readable(spec: RollupSpec, below: RollupSpec, name: str) -> None:
    """Refuse a tier below whose rows cannot be merged into this tier.

    :param name: the pipeline below
    :raises ConfigurationError: when its windows overlap, or it has merged a tag away that this one filters by
    :raises AggregateNotMergeable: when it does not store a part
    """
    if below.grid.period is not None:
        what = f"pipeline {name!r} has sliding windows of {below.grid.label}: the same points are in several of them"
        raise ConfigurationError(what, written="nothing", fix="read a tier whose windows do not overlap")
    gone = [key for key in spec.tags if below.group_by is not None and key not in below.group_by]
    if gone:
        what = f"pipeline {name!r} has merged the series of tag {', '.join(gone)}, so that a tier cannot filter by it"
        raise ConfigurationError(what, written="nothing", fix="filter in the lowest tier, or leave tags out")
    require_parts(spec.rules(), below.rules(), name)


def column_rules(spec: RollupSpec, below: TierBelow | None) -> AggregateRules | TierRules:
    """Rules that choose the columns of a rollup, given the fields of its source."""
    if below is None:
        return spec.rules()
    return TierRules(spec.rules(), below.spec.rules(), below.name)


def _source(spec: RollupSpec) -> str:
    return f"bucket {spec.source_bucket!r}, measurement {spec.measurement!r}"


def _only_writer(spec: RollupSpec, writers: Sequence[str]) -> str:
    if not writers:
        what = f"no pipeline of ledger {spec.ledger_bucket!r} has rolled up into {_source(spec)} yet"
        raise ReceiptMissing(what, written="nothing", fix="run the tier below first")
    if len(writers) > 1:
        what = f"{len(writers)} pipelines roll up into {_source(spec)}: {', '.join(sorted(writers))}"
        raise ConfigurationError(what, written="nothing", fix="name one of them in source_tier")
    return writers[0]


def not_committed(spec: RollupSpec, edge: Edge, waiting: Sequence[Interval]) -> ReceiptMissing:
    """The error of windows that cannot start, with the windows of the tier below that are missing.

    :param waiting: at least one
    """
    lacking = edge.lacking()
    named = few([f"{cell} {_state(edge, cell)}" for cell in lacking], MAX_NAMED, between=", ")
    what = (
        f"{len(waiting)} windows of pipeline {spec.pipeline_name!r} cannot start: {len(lacking)} windows of pipeline "
        f"{edge.below.name!r} are not COMMITTED: {named}"
    )
    hashes = {
        edge.states[cell][1] for cell in lacking if edge.states.get(cell, (None,))[0] is State.COMMITTED
    }
    for spec_hash in sorted(hashes):
        what += f"; COMMITTED under an older spec, of which {changed_fields(edge.below, spec_hash)}"
    fix = f"run pipeline {edge.below.name!r} over these windows; this one starts when they are COMMITTED"
    return ReceiptMissing(what, window=waiting[0], written="nothing", fix=fix)


def _state(edge: Edge, cell: Interval) -> str:
    state, spec_hash = edge.states.get(cell, (None, ""))
    if state is State.COMMITTED and spec_hash != edge.below.spec_hash:
        return "older spec"
    return "no receipt" if state is None else state.value


def changed_fields(below: TierBelow, spec_hash: str) -> str:
    """Say what an older spec had that the present one has not."""
    then = below.earlier.get(spec_hash)
    if then is None:
        return f"the ledger has no record ({spec_hash})"
    now = below.spec.as_json()
    changed = [
        f"{key} was {_plain(then.get(key))} and is {_plain(value)}"
        for key, value in now.items()
        if key not in NOT_IN_HASH and _plain(then.get(key)) != _plain(value)
    ]
    return ", ".join(changed) or "nothing visible changed"


def _plain(value: Any) -> str:
    """A value of a spec as text; tuples and the lists that JSON makes of them are alike."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(part)}" for key, part in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(part) for part in value) + "]"
    return "none" if value is None else str(value)
