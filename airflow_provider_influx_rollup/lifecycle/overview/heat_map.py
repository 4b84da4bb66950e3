"""Windows of pipelines as a heat map: at most so many cells for each, with how many windows are in which state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.lifecycle.overview.judge import PipelineWindows, counts_of
from airflow_provider_influx_rollup.lifecycle.overview.page_state import CODES, STATES, WRONG, PageState
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import parents_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.windows.interval import format_instant, from_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CELLS = 1000
MAX_GAPS = 200
NS_PER_MS = 1_000_000


def heat_map(found: Iterable[PipelineWindows], most_cells: int) -> list[dict[str, Any]]:
    """One row for each pipeline, as JSON.

    A cell is ``[start, stop, {state: windows}]``, in milliseconds since the epoch; it has one window where there are few
    enough. Gaps are runs of neighbours that are in one state in which something is to be done.

    :param most_cells: of one pipeline
    """
    return [
        {
            "pipeline": one.spec.pipeline_name,
            "windows": len(one.starts),
            "states": counts_of(one.codes),
            "cells": cells_of_windows(one, most_cells),
            **gaps_of(one),
        }
        for one in found
    ]


def cells_of_windows(found: PipelineWindows, most: int) -> list[list[Any]]:
    """The cells of a pipeline, which have all its windows, each once.

    :param most: how many there may be, at least one
    """
    import numpy as np

    windows = len(found.starts)
    cells = min(windows, most)
    edges = np.arange(cells + 1, dtype=np.int64) * windows // cells
    cell_of_window = np.repeat(np.arange(cells, dtype=np.int64), np.diff(edges))
    counts = np.bincount(cell_of_window * len(STATES) + found.codes, minlength=cells * len(STATES)).reshape(
        cells, len(STATES)
    )
    starts = (found.starts[edges[:-1]] // NS_PER_MS).tolist()
    # a sliding window is shown where it stops
    stops = (_shown_stops(found)[edges[1:] - 1] // NS_PER_MS).tolist()
    rows: list[list[Any]] = [[start, stop, {}] for start, stop in zip(starts, stops, strict=True)]
    for cell, code in zip(*(places.tolist() for places in np.nonzero(counts)), strict=True):
        rows[cell][2][STATES[code].value] = int(counts[cell, code])
    return rows


def _shown_stops(found: PipelineWindows) -> NDArray[Any]:
    import numpy as np

    if found.spec.grid.period is None:
        return found.stops
    return np.append(found.starts[1:], found.stops[-1:])


def gaps_of(found: PipelineWindows) -> dict[str, Any]:
    """Runs of neighbours in one state in which something is to be done, the newest first, and how many there are."""
    import numpy as np

    edges = np.flatnonzero(np.diff(found.codes)) + 1
    firsts = np.concatenate([[0], edges])
    lasts = np.concatenate([edges, [len(found.codes)]])
    wrong = np.isin(found.codes[firsts], [CODES[state] for state in WRONG])
    firsts, lasts = firsts[wrong][::-1], lasts[wrong][::-1]
    gaps = [
        {
            "start": _text(found.starts[first]),
            "stop": _text(found.stops[last - 1]),
            "windows": int(last - first),
            "state": STATES[found.codes[first]].value,
        }
        for first, last in zip(firsts[:MAX_GAPS], lasts[:MAX_GAPS], strict=True)
    ]
    return {"gaps": gaps, "gaps_total": len(firsts)}


def _text(instant_ns: Any) -> str:
    return format_instant(from_ns(int(instant_ns)))


def pipeline_rows(specs: Mapping[str, RollupSpec]) -> list[dict[str, Any]]:
    """What the page tells of each pipeline, each tier after the one that it reads.

    :param specs: in force, by the pipeline's name
    """
    depths = dict(in_tiers(specs))
    return [
        {
            "pipeline": name,
            "tier": depth,
            "measurement": specs[name].measurement,
            "source": specs[name].source_bucket,
            "target": specs[name].target_bucket,
            "every": specs[name].grid.label,
            "lateness": specs[name].lateness,
            "reads": [one.pipeline_name for one in parents_of(specs[name], specs)],
        }
        for name, depth in depths.items()
    ]


def in_tiers(specs: Mapping[str, RollupSpec]) -> list[tuple[str, int]]:
    """Names of pipelines in the order in which people read them, with how many tiers lie below each."""
    parents = {name: [one.pipeline_name for one in parents_of(spec, specs)] for name, spec in specs.items()}
    ordered: dict[str, int] = {}

    def add(name: str, depth: int) -> None:
        if name in ordered:
            return
        ordered[name] = depth
        for other in sorted(specs):
            if name in parents[other]:
                add(other, depth + 1)

    for name in sorted(specs):
        if not any(parent in specs for parent in parents[name]):
            add(name, 0)
    for name in sorted(specs):
        add(name, 0)
    return list(ordered.items())


def state_rows() -> list[dict[str, Any]]:
    """The states in the order of their urgency, for legends."""
    return [{"state": state.value, "is_wrong": state in WRONG, "words": WORDS[state]} for state in STATES]


WORDS: Mapping[PageState, str] = {
    PageState.FAILED: "The run that wanted the window has failed.",
    PageState.MISSING: "The window is due and was never run, or there is no target bucket, or the token may not read it.",
    PageState.DIRTY: "The window is done, and differs from its source since.",
    PageState.WRITING: "A run is writing the window, or died while it did.",
    PageState.INCOMPLETE: "The window is done, but its source lacked something.",
    PageState.FROZEN: "The window is not done, and retention or a purge has taken its points.",
    PageState.STALE_SPEC: "The window is done by another spec or grid than the one in force.",
    PageState.PLANNED: "A run wanted the window and has not begun it.",
    PageState.PURGED: "The window is done, and the points of its source were purged since.",
    PageState.ARCHIVED: "The window is done, and the points of its source are archived.",
    PageState.COMMITTED: "The window is done, by the spec in force.",
    PageState.NOT_DUE: "The stop of the window + lateness has not passed.",
}


def rows_of(specs: Mapping[str, RollupSpec], names: Sequence[str] | None) -> dict[str, RollupSpec]:
    """Some pipelines, in the order in which they are shown.

    :param names: those that were asked for; None: all
    """
    return {name: specs[name] for name, _ in in_tiers(specs) if names is None or name in names}
