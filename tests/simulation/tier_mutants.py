"""Places that keep a tier as the one below it is, each with what breaks it."""

from __future__ import annotations

from tests.simulation.mutant import Mutant
from tests.simulation.mutants import RIGHT, ROLLUP

TIER_MUTANTS = (
    Mutant(
        "does not see that the tier below was rewritten",
        ROLLUP + "commit.py",
        RIGHT,
        "if verdict.is_right and verdict.totals == totals and not taken:",
        only=("tiers",),
    ),
    Mutant(
        "takes rows of a tier below that is being written",
        ROLLUP + "tier_commits.py",
        "if one.state is not State.COMMITTED:",
        "if False:",
    ),
    Mutant(
        "heals no day whose hours were committed with other rows",
        ROLLUP + "heal.py",
        "is_current = lower is None or lower.are_those_of(receipt.window, receipt.merged_from, receipt.written_at)",
        "is_current = True",
        only=("tiers",),
    ),
    Mutant(
        "calls a day covered whose hours were committed with other rows",
        "lifecycle/plan/coverage.py",
        "if lower is not None and not lower.are_those_of(window, receipt.merged_from, receipt.written_at):",
        "if False:",
        only=("tiers",),
    ),
    Mutant(
        "does not say what a day was merged from",
        ROLLUP + "tier_commits.py",
        "return [lower.hash_of(window) for window in job.windows]",
        'return [""] * len(job.windows)',
    ),
    Mutant(
        "does not wait for the tier below", ROLLUP + "tier_waiting.py", "    if not late:", "    if True:"
    ),
    Mutant(
        "takes a day for one of its hours that was none before series were erased",
        "lifecycle/erase/merged_from.py",
        "no wrong one is hidden\n    return receipt.merged_from",
        "no wrong one is hidden\n    return now.hash_of(receipt.window)",
        only=("erased tiers",),
    ),
)
