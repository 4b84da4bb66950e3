"""Choose the aggregates of each field that a rollup computes, given the fields of the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.aggregates.catalog import Aggregate, find_aggregate
from airflow_provider_influx_rollup.aggregates.extras import require_installed
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch, ConfigurationError
from airflow_provider_influx_rollup.globs import is_glob, is_match

ALL_FIELDS = "*"
NUMERIC_TYPES = frozenset({"float", "integer", "unsigned"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field of the target: an aggregate of a field of the source.

    :param field: the field of the source; of a tier over a tier, the field of the raw points
    :param field_type: ``"float"``, ``"integer"``, ``"unsigned"``, ``"string"`` or ``"boolean"``
    :param aggregate: what is computed of it
    :param parts: fields of the tier below that it is merged from; none when it is computed from the field itself
    :param tier_below: the pipeline that writes these parts
    """

    field: str
    field_type: str
    aggregate: Aggregate
    parts: tuple[str, ...] = ()
    tier_below: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The fields of the source that it is computed from; the first one has values wherever the column has."""
        return self.parts or (self.field,)

    @property
    def name(self) -> str:
        """Name of the field in the target."""
        return f"{self.field}_{self.aggregate.name}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns of a rollup, and what was left out because of a field's type."""

    columns: tuple[Column, ...]
    skipped: tuple[str, ...]

    def __post_init__(self) -> None:
        """Nothing is begun that lacks a library.

        :raises ConfigurationError: when a column needs one that is not installed
        """
        for package in sorted({c.aggregate.package for c in self.columns if c.aggregate.package}):
            require_installed(package)


@dataclass(frozen=True, slots=True)
class AggregateRules:
    """Field globs with their aggregates; a field takes the first rule that matches it, and none of one without any.

    An exact name goes before a glob, whatever the order they were given in.
    """

    rules: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(
        cls, aggregates: Sequence[str] | Mapping[str, Sequence[str]], fields: Sequence[str] | None
    ) -> AggregateRules:
        """Read the two parameters of a rollup.

        :param aggregates: names for all fields, or per field glob
        :param fields: field globs to take; None takes all, or those the mapping names; ``!glob`` takes away
        :raises UnknownAggregate: when a name is not known
        :raises ConfigurationError: when nothing is asked for, or twice
        """
        if isinstance(aggregates, str):
            aggregates = [aggregates]
        fields, taken_away = _parted(fields)
        if isinstance(aggregates, Mapping):
            rules = {glob: _names(names) for glob, names in aggregates.items()}
            if fields is not None:
                rules = _restrict(rules, fields)
        else:
            rules = dict.fromkeys(fields if fields is not None else ("*",), _names(aggregates))
        if not rules:
            what = "no aggregate of any field is asked for"
            raise ConfigurationError(what, written="nothing", fix='set aggregates, such as ["count", "mean"]')
        rules = {**{glob: () for glob in taken_away if glob not in rules}, **rules}
        exact_first = sorted(rules.items(), key=lambda rule: is_glob(rule[0]))
        return cls(tuple(exact_first))

    def names_for(self, field: str) -> tuple[str, ...]:
        """Names of the aggregates of a field; empty when the field is not selected."""
        for glob, names in self.rules:
            if is_match(glob, field):
                return names
        return ()

    def all_names(self) -> tuple[str, ...]:
        """Every aggregate that any field may have, sorted."""
        return tuple(sorted({name for _, names in self.rules for name in names}))

    def exact_names(self) -> list[str]:
        """The fields that are named, not matched by a glob."""
        return [name for name, names in self.rules if names and not is_glob(name)]

    def exact_fields(self) -> list[str] | None:
        """The fields, when no rule is a glob; None otherwise."""
        exact, taking = self.exact_names(), [names for _, names in self.rules if names]
        return exact if len(exact) == len(taking) else None

    def unmatched(self, known: Iterable[str]) -> list[str]:
        """The names and globs that stand for none of some fields, and so may be mistyped.

        Beside a rule for all fields the others are for the measurements that have such fields, and none is among them.
        """
        names = list(known)
        taking = [glob for glob, found in self.rules if found]
        if ALL_FIELDS in taking:
            return []
        return [glob for glob in taking if not any(is_match(glob, name) for name in names)]

    def owns(self, target_field: str) -> bool:
        """Whether a field of the target is one these rules can write."""
        return any(
            target_field.endswith(f"_{name}") and name in self.names_for(target_field[: -len(name) - 1])
            for name in self.all_names()
        )

    def select(self, field_types: Mapping[str, str]) -> Selection:
        """Choose the columns for the fields there are.

        :param field_types: type of each field of the source
        :raises AggregateTypeMismatch: when a field that is named exactly cannot have its aggregate, or no field can
        """
        columns: list[Column] = []
        skipped: list[str] = []
        for field in sorted(field_types):
            for name in self.names_for(field):
                aggregate = find_aggregate(name)
                if not aggregate.numeric_only or field_types[field] in NUMERIC_TYPES:
                    columns.append(Column(field=field, field_type=field_types[field], aggregate=aggregate))
                    continue
                if self._is_exact(field):
                    raise _mismatch(field, field_types[field], name)
                skipped.append(f"{name} of {field} ({field_types[field]})")
        if skipped and not columns:
            raise _nothing_applies(skipped)
        return Selection(tuple(columns), tuple(skipped))

    def _is_exact(self, field: str) -> bool:
        return any(glob == field for glob, _ in self.rules)


def _parted(fields: Sequence[str] | None) -> tuple[list[str] | None, list[str]]:
    """Names included and excluded; a list of exclusions alone starts from all names, as elsewhere."""
    taken_away = [glob.removeprefix("!") for glob in fields or () if glob.startswith("!")]
    if "" in taken_away:
        what = "'!' is not a glob of field names"
        raise ConfigurationError(what, written="nothing", fix="use a name, or a glob such as !temp_*")
    if fields is None or (taken_away and len(taken_away) == len(fields)):
        return None, taken_away
    return [glob for glob in fields if not glob.startswith("!")], taken_away


def _names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        names = [names]
    unique = tuple(dict.fromkeys(name for asked in names for name in _with_sketch(asked)))
    if not unique:
        what = "the list of aggregates is empty"
        raise ConfigurationError(what, written="nothing", fix='set aggregates, such as ["count", "mean"]')
    return unique


def _with_sketch(name: str) -> tuple[str, ...]:
    """A name, and the sketch that it is read from: stored with it, so that the next tier can merge it."""
    sketch = find_aggregate(name).sketch
    return (name,) if sketch is None else (name, sketch)


def _restrict(rules: Mapping[str, tuple[str, ...]], fields: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """With both parameters, ``fields`` takes from the mapping what it names."""
    restricted: dict[str, tuple[str, ...]] = {}
    for field in fields:
        names = next((found for glob, found in rules.items() if is_match(glob, field)), None)
        if names is None:
            what = f"field {field!r} is selected but has no aggregates"
            raise ConfigurationError(what, written="nothing", fix=f'add {field!r} or "*" to aggregates')
        restricted[field] = names
    return restricted


def _mismatch(field: str, field_type: str, name: str) -> AggregateTypeMismatch:
    what = f"{name} of field {field!r} is not possible: it is a {field_type} field and {name} needs numbers"
    return AggregateTypeMismatch(
        what, written="nothing", fix=f"use count, first, last or distinct for {field!r}"
    )


def _nothing_applies(skipped: Sequence[str]) -> AggregateTypeMismatch:
    what = f"no aggregate is possible for the fields there are: {', '.join(skipped)}"
    return AggregateTypeMismatch(
        what, written="nothing", fix="use count, first, last or distinct, or other fields"
    )
