"""Rules about values that are not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.globs import is_match
from airflow_provider_influx_rollup.validation.checks import require_text, require_truth
from airflow_provider_influx_rollup.validation.rule import PartVerdict, PointRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.validation.points import Part, Points
    from airflow_provider_influx_rollup.validation.sequence_memory import Memory


@dataclass(frozen=True, kw_only=True)
class MissingFieldRule(PointRule):
    """A series that has a point of another field at a time has one of this field too.

    InfluxDB has no null: a null is a field that was not sent. What is there of such a point breaks the rule.

    :param field: the field that must be there: a name
    :param beside: the other fields, a name or a glob; fewer fields are less to read
    :param empty_text: whether an empty text counts as missing
    """

    rule: ClassVar[str] = "missing_field"

    beside: str = "*"
    empty_text: bool = True

    def check(self) -> None:
        """A field and others."""
        require_text(self.rule, "beside", self.beside)
        require_truth(self.rule, "empty_text", self.empty_text)

    def is_about(self, name: str) -> bool:
        """The field itself, and those beside it."""
        return name == self.field or is_match(self.beside, name)

    def judge(self, part: Part, memory: Memory) -> PartVerdict:
        """The other fields' points at times where this field has none, and its own empty texts."""
        import numpy as np

        mine = [
            (index, table) for index, table in enumerate(part.tables) if self.wants(table.field, table.kind)
        ]
        found: dict[int, NDArray[Any]] = {}
        present: Points | None = None
        for index, table in mine:
            if table.field == self.field:
                empty = np.zeros(len(table), bool)
                if self.empty_text and table.kind == "string":
                    empty = part.spread(self, table, part.about(self, table).values == "")
                found[index], present = empty.astype(bool), table.where(~empty.astype(bool))
        for index, table in mine:
            if table.field != self.field:
                found[index] = part.spread(self, table, _absent(part.about(self, table), present))
        return PartVerdict(found, memory)


def _absent(rows: Points, present: Points | None) -> NDArray[Any]:
    """The rows whose series and time are not present."""
    import numpy as np

    if present is None or not len(present):
        return np.ones(len(rows), bool)
    if np.array_equal(rows.time_ns, present.time_ns) and np.array_equal(rows.series, present.series):
        return np.zeros(len(rows), bool)
    times = np.unique(np.concatenate([rows.time_ns, present.time_ns]))
    keys = [p.series * len(times) + np.searchsorted(times, p.time_ns) for p in (rows, present)]
    absent: NDArray[Any] = ~np.isin(keys[0], keys[1], assume_unique=True)
    return absent
