"""A change that breaks one place of the package, and the worlds that reach the place."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.pipelines import ARCHIVED, SHARED

#: the variants whose schedules reach a file; any variant reaches the others
REACHED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("archive", "compact", "erase", "export", "purge"), ARCHIVED),
    **dict.fromkeys(("completeness", "deadman"), ("watched",)),
    "rollup_script": ("scripted",),
    "validate": ("validated", *ARCHIVED),
    **dict.fromkeys(("target/neighbours", "target/set_aside", "target/stale_rows"), SHARED),
    **dict.fromkeys(("rollup/tier_commits", "rollup/tier_waiting"), ("tiers",)),
}


@dataclass(frozen=True)
class Mutant:
    """One change.

    :param file: below the package
    :param old: occurs once in it
    :param only: the variants that can show it; as many as reach the file
    """

    name: str
    file: str
    old: str
    new: str
    only: tuple[str, ...] = ()

    def variants(self) -> tuple[str, ...]:
        """Those whose schedules are played; all when there is none."""
        reached = (some for name, some in REACHED.items() if self.file.startswith(f"lifecycle/{name}"))
        return self.only or next(reached, ())
