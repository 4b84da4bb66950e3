"""Changes that make points clean: names, tag values, units, types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.exceptions import RuleInvalid
from airflow_provider_influx_rollup.globs import is_match
from airflow_provider_influx_rollup.validation.checks import (
    require_choice,
    require_number,
    require_text,
    require_text_by_text,
    require_truth,
)
from airflow_provider_influx_rollup.validation.rule import NUMBERS, TagSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET_TYPES = ("float", "integer", "string")
CASES = ("lower", "upper", "keep")


@dataclass(frozen=True, kw_only=True)
class Transformation:
    """A change of points on their way to the clean bucket."""

    transform: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Refuse impossible parameters.

        :raises RuleInvalid: with the parameter that is wrong
        """

    def tags(self, tags: TagSet) -> TagSet:
        """The tags of a series after the change."""
        return tags

    def changed_tags(self) -> tuple[str, ...]:
        """The keys of tags that a series may have otherwise after the change."""
        return ()

    def field_name(self, name: str) -> str:
        """The name of a field after the change."""
        return name

    def kind(self, name: str, kind: str) -> str:  # noqa: ARG002
        """The type of a field after the change.

        :param name: before the change
        """
        return kind

    def values(self, name: str, kind: str, values: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG002
        """The values of a field after the change.

        :param name: before the change
        """
        return values

    def as_json(self) -> dict[str, Any]:
        """The parameters, as ``transformation_of`` reads them back."""
        return {"transform": self.transform} | {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True, kw_only=True)
class RenameTag(Transformation):
    """Give a tag another key. A series that has both keeps the value of the new one.

    :param tag: its key
    :param to: the new key
    """

    transform: ClassVar[str] = "rename_tag"

    tag: str
    to: str

    def check(self) -> None:
        """Two keys."""
        require_text(self.transform, "tag", self.tag)
        require_text(self.transform, "to", self.to)

    def changed_tags(self) -> tuple[str, ...]:
        """The old and the new tag key."""
        return self.tag, self.to

    def tags(self, tags: TagSet) -> TagSet:
        """The tag under its new key."""
        found = dict(tags)
        if self.tag in found:
            found.setdefault(self.to, found[self.tag])
            if self.to != self.tag:
                del found[self.tag]
        return tuple(sorted(found.items()))


@dataclass(frozen=True, kw_only=True)
class MapTag(Transformation):
    """Give a tag other values: first the spaces at the ends go, then the case changes, then the mapping holds.

    :param tag: its key
    :param values_to: new value by value; others stay, and a value that becomes ``""`` is left out
    :param strip: whether spaces at the ends go
    :param case: ``lower``, ``upper`` or ``keep``
    """

    transform: ClassVar[str] = "map_tag"

    tag: str
    values_to: Mapping[str, str] = field(default_factory=dict)
    strip: bool = False
    case: str = "keep"

    def check(self) -> None:
        """A key, and texts."""
        require_text(self.transform, "tag", self.tag)
        object.__setattr__(
            self, "values_to", require_text_by_text(self.transform, "values_to", self.values_to)
        )
        require_truth(self.transform, "strip", self.strip)
        require_choice(self.transform, "case", self.case, CASES)

    def changed_tags(self) -> tuple[str, ...]:
        """Its key."""
        return (self.tag,)

    def tags(self, tags: TagSet) -> TagSet:
        """The tag with its new value."""
        found = dict(tags)
        if self.tag in found:
            found[self.tag] = self._mapped(found[self.tag])
        return tuple(sorted((key, value) for key, value in found.items() if value))

    def _mapped(self, value: str) -> str:
        text = value.strip() if self.strip else value
        text = text if self.case == "keep" else getattr(text, self.case)()
        return self.values_to.get(text, text)


@dataclass(frozen=True, kw_only=True)
class RenameField(Transformation):
    """Give a field another name.

    :param field: its name
    :param to: the new name
    """

    transform: ClassVar[str] = "rename_field"

    field: str
    to: str

    def check(self) -> None:
        """Two names."""
        require_text(self.transform, "field", self.field)
        require_text(self.transform, "to", self.to)

    def field_name(self, name: str) -> str:
        """The new name."""
        return self.to if name == self.field else name


@dataclass(frozen=True, kw_only=True)
class ScaleField(Transformation):
    """Another unit: ``value * factor + offset``, a float. Texts and booleans stay as they are.

    :param field: a name or a glob
    :param factor: what to multiply with
    :param offset: what to add after that
    """

    transform: ClassVar[str] = "scale_field"

    field: str
    factor: float = 1.0
    offset: float = 0.0

    def check(self) -> None:
        """A field and two numbers."""
        require_text(self.transform, "field", self.field)
        require_number(self.transform, "factor", self.factor)
        require_number(self.transform, "offset", self.offset)

    def _is_about(self, name: str, kind: str) -> bool:
        return kind in NUMBERS and (is_match(self.field, name))

    def kind(self, name: str, kind: str) -> str:
        """A float."""
        return "float" if self._is_about(name, kind) else kind

    def values(self, name: str, kind: str, values: NDArray[Any]) -> NDArray[Any]:
        """The values in the new unit."""
        import numpy as np

        if not self._is_about(name, kind):
            return values
        scaled: NDArray[Any] = values.astype(np.float64) * self.factor + self.offset
        return scaled


@dataclass(frozen=True, kw_only=True)
class ConvertField(Transformation):
    """Give a field one type, whatever it was: floats are rounded to integers, and texts that are no numbers are left out.

    :param field: a name or a glob
    :param to: ``float``, ``integer`` or ``string``
    """

    transform: ClassVar[str] = "convert_field"

    field: str
    to: str

    def check(self) -> None:
        """A field and a type."""
        require_text(self.transform, "field", self.field)
        require_choice(self.transform, "to", self.to, TARGET_TYPES)

    def _is_about(self, name: str) -> bool:
        return is_match(self.field, name)

    def kind(self, name: str, kind: str) -> str:
        """The type."""
        return self.to if self._is_about(name) else kind

    def values(self, name: str, kind: str, values: NDArray[Any]) -> NDArray[Any]:
        """The values in the type; what cannot be converted is NaN, or None where there is no NaN."""
        import numpy as np

        if not self._is_about(name) or kind == self.to:
            return values
        if self.to == "string":
            texts = [_text(value) for value in values.tolist()]
        elif self.to == "float" and kind != "string":
            numbers: NDArray[Any] = values.astype(np.float64)
            return numbers
        else:
            texts = [_number(value, self.to) for value in values.tolist()]
        converted = np.empty(len(values), object)
        converted[:] = texts
        return converted


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any, to: str) -> Any:
    """A float or an integer of 64 bits; None when the value is none."""
    try:
        number = float(value) if to == "float" or isinstance(value, str | float) else int(value)
        if to == "float":
            return number if number - number == 0 else None
        whole = (
            int(value)
            if isinstance(value, int) or str(value).strip().lstrip("+-").isdecimal()
            else round(number)
        )
    except (ValueError, OverflowError):
        return None
    return whole if -(2**63) <= whole < 2**63 else None


TRANSFORMATIONS: dict[str, type[Transformation]] = {
    cls.transform: cls for cls in (RenameTag, MapTag, RenameField, ScaleField, ConvertField)
}


def transformation_of(values: Any) -> Transformation:
    """A transformation from itself, or from plain values such as ``{"transform": "rename_tag", "tag": "Site", "to": "site"}``.

    :raises RuleInvalid: when there is none like that, or a parameter is not possible
    """
    if isinstance(values, Transformation):
        return values
    given = dict(values) if isinstance(values, Mapping) else {}
    name = given.pop("transform", None)
    cls = TRANSFORMATIONS.get(name) if isinstance(name, str) else None
    if cls is None:
        what = f"there is no transformation {name!r}"
        raise RuleInvalid(what, parameter="transform", fix=f"use one of {', '.join(TRANSFORMATIONS)}")
    known = [one.name for one in fields(cls)]
    for key in given:
        if key not in known:
            what = f"transformation {name!r} has no parameter {key!r}"
            raise RuleInvalid(what, parameter=str(key), fix=f"it has {', '.join(known)}")
    try:
        return cls(**given)
    except TypeError as error:
        what = f"transformation {name!r} lacks a parameter"
        raise RuleInvalid(what, parameter="transform", fix=f"it has {', '.join(known)}") from error


def transformations_of(values: Iterable[Any]) -> tuple[Transformation, ...]:
    """Transformations, in the order in which they are applied.

    :raises RuleInvalid: when one is not possible, with its place
    """
    made = []
    for place, one in enumerate(values, start=1):
        try:
            made.append(transformation_of(one))
        except RuleInvalid as error:
            what = f"transformation number {place}: {error.what}"
            raise RuleInvalid(what, parameter=error.parameter, fix=error.fix) from error
    return tuple(made)
