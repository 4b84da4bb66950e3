"""The base of all rules: name, severity, and the series they are about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.globs import is_match
from airflow_provider_influx_rollup.validation.checks import (
    require_choice,
    require_duration,
    require_number,
    require_tag_value,
    require_text,
    require_texts_by_key,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.validation.points import Mask, Part, Points
    from airflow_provider_influx_rollup.validation.sequence_memory import Memory
    from airflow_provider_influx_rollup.validation.sightings import Look, Observations, RuleVerdict, Scope
    from airflow_provider_influx_rollup.windows.interval import Interval

TagSet = tuple[tuple[str, str], ...]
SEVERITIES = ("error", "warning")
NUMBERS = frozenset({"float", "integer", "unsigned"})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One expectation of the points of a measurement.

    :param name: what results and the tag ``violated_rule`` call it; default: the rule and what it is about
    :param severity: ``"error"`` fails the validation, ``"warning"`` is only told
    :param tolerance: share of the points, from 0 to 1, that may break the rule before it counts as violated
    :param where: tag values of the series that it is about, per tag key; default: all series
    :raises RuleInvalid: when a parameter is not possible
    """

    #: the rule's name in the catalog, in YAML and in dicts
    rule: ClassVar[str] = ""
    #: what its violations count
    unit: ClassVar[str] = "points"
    #: which parameters make the default name
    named_by: ClassVar[tuple[str, ...]] = ()

    name: str = ""
    severity: str = "error"
    tolerance: float = 0.0
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for given in fields(self):
            value = getattr(self, given.name)
            if isinstance(value, timedelta):
                # rules travel as JSON
                text = require_duration(self.rule, given.name, value, allow_zero=True).to_flux()
                object.__setattr__(self, given.name, text)
        if self.name == "":
            about = [str(getattr(self, key)) for key in self.named_by if getattr(self, key, None)]
            object.__setattr__(self, "name", ":".join([self.rule, *about]))
        require_tag_value(self.rule, "name", self.name)
        require_choice(self.rule, "severity", self.severity, SEVERITIES)
        require_number(self.rule, "tolerance", self.tolerance, low=0, high=1)
        object.__setattr__(self, "where", require_texts_by_key(self.rule, "where", self.where))
        self.check()

    def check(self) -> None:
        """Refuse impossible parameters.

        :raises RuleInvalid: with the parameter that is wrong
        """

    def covers(self, tags: TagSet) -> bool:
        """Whether the rule is about a series; a tag that a series lacks is ``""``."""
        if not self.where:
            return True
        values = dict(tags)
        return all(values.get(key, "") in wanted for key, wanted in self.where.items())

    def as_json(self) -> dict[str, Any]:
        """The parameters that are not defaults, as the catalog reads them back."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"rule": self.rule} | {
            key: _plain(value) for key, value in given.items() if value != _default(type(self), key)
        }

    @property
    def is_error(self) -> bool:
        """Whether a violation fails the validation."""
        return self.severity == "error"


@dataclass(frozen=True, kw_only=True)
class SeriesRule(Rule, ABC):
    """A rule that is judged from what InfluxDB counts, without reading points."""

    def looks(self, scope: Scope) -> list[Look]:  # noqa: ARG002 - for rules that look elsewhere
        """The queries that it needs besides the census of the interval."""
        return []

    def at(self, interval: Interval) -> SeriesRule:  # noqa: ARG002 - for rules that a user's function makes
        """The rule as plain values, for an interval."""
        return self

    @abstractmethod
    def judge(self, seen: Observations) -> RuleVerdict:
        """Say what breaks the rule.

        :param seen: the census, and what ``looks`` asked for
        """


@dataclass(frozen=True)
class PartVerdict:
    """What a rule says of a part of the points.

    :param masks: the rows that break the rule, of each table that it read
    :param memory: what the rule needs of this part and those before to judge the next one
    """

    masks: Mapping[int, Mask]
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class PointRule(Rule, ABC):
    """A rule that looks at each point of some fields.

    :param field: a field's name or a glob such as ``temp_*``
    """

    named_by: ClassVar[tuple[str, ...]] = ("field",)
    #: how many points before the interval each series needs
    points_before: ClassVar[int] = 0

    field: str

    def __post_init__(self) -> None:
        require_text(self.rule, "field", self.field)
        super().__post_init__()

    def wants(self, name: str, kind: str) -> bool:
        """Whether it must read the points of a field.

        :param kind: ``float``, ``integer``, ``unsigned``, ``boolean`` or ``string``
        """
        return self.is_about(name) and self.reads(kind)

    def is_about(self, name: str) -> bool:
        """Whether the field is one that the rule names."""
        return is_match(self.field, name)

    def reads(self, kind: str) -> bool:  # noqa: ARG002 - rules that need a type look at it
        """Whether values of a type can break it at all."""
        return True

    def cannot_break(self, kind: str) -> bool:  # noqa: ARG002 - rules that need a type look at it
        """Whether InfluxDB itself sees to it that values of a type are right."""
        return False

    @property
    def needs_before(self) -> int:
        """Number of points before the interval that each series needs."""
        return self.points_before

    @abstractmethod
    def judge(self, part: Part, memory: Memory) -> PartVerdict:
        """Say which rows break the rule.

        :param part: neighbouring points in time, after those of the last verdict
        :param memory: of the last verdict; empty before the first
        """

    def score(self, points: Points) -> NDArray[Any] | None:  # noqa: ARG002 - for rules that can tell
        """Badness of each point; None when all are alike, and the first ones are shown."""
        return None


@dataclass(frozen=True, kw_only=True)
class FieldRule(PointRule):
    """A rule that looks at one point at a time."""

    def judge(self, part: Part, memory: Memory) -> PartVerdict:
        """Each point is right or wrong by itself."""
        masks = {
            index: part.spread(self, table, self.find(part.about(self, table)))
            for index, table in enumerate(part.tables)
            if self.wants(table.field, table.kind)
        }
        return PartVerdict(masks, memory)

    @abstractmethod
    def find(self, points: Points) -> NDArray[Any]:
        """A mask of the points of one field that break the rule.

        :param points: of one field, by series and time
        """


def _default(cls: type[Rule], key: str) -> Any:
    for one in fields(cls):
        if one.name == key:
            return one.default if one.default_factory is MISSING else one.default_factory()
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
