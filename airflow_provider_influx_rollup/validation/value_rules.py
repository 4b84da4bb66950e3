"""Rules about one value at a time: range, allowed values, patterns, numbers that are none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.validation.checks import (
    refuse,
    require_number,
    require_pattern,
    require_texts,
)
from airflow_provider_influx_rollup.validation.rule import NUMBERS, FieldRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_influx_rollup.validation.points import Points

Scalar = str | int | float | bool
NOT_NUMBERS = ("nan", "inf", "infinity", "-nan", "-inf", "-infinity", "+nan", "+inf", "+infinity")


@dataclass(frozen=True, kw_only=True)
class RangeRule(FieldRule):
    """Numbers from ``low`` to ``high``, both included. A text or a boolean is outside of any range.

    :param low: None has no lower bound
    :param high: None has no upper bound
    """

    rule: ClassVar[str] = "range"

    low: float | None = None
    high: float | None = None

    def check(self) -> None:
        """One bound at least, in order."""
        for parameter in ("low", "high"):
            if getattr(self, parameter) is not None:
                require_number(self.rule, parameter, getattr(self, parameter))
        if self.low is None and self.high is None:
            raise refuse(self.rule, "low", None, "and high=None allow everything", "give low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise refuse(self.rule, "low", self.low, f"is more than high={self.high}", "swap them")

    def holds(self, lowest: float, highest: float) -> bool:
        """Whether all numbers between two are in the range."""
        return (self.low is None or lowest >= self.low) and (self.high is None or highest <= self.high)

    def find(self, points: Points) -> NDArray[Any]:
        """Points outside of the range."""
        import numpy as np

        if points.kind not in NUMBERS:
            return np.ones(len(points), bool)
        low, high = (_bound(points.values, self.low, math.ceil), _bound(points.values, self.high, math.floor))
        bad = np.zeros(len(points), bool)
        if low is not None:
            bad |= points.values < low
        if high is not None:
            bad |= points.values > high
        return bad

    def score(self, points: Points) -> NDArray[Any] | None:
        """Distance from the bound."""
        import numpy as np

        if points.kind not in NUMBERS:
            return None
        values = points.values.astype(np.float64)
        below = -np.inf if self.low is None else self.low - values
        above = -np.inf if self.high is None else values - self.high
        distance: NDArray[Any] = np.maximum(below, above)
        return distance


def _bound(values: NDArray[Any], bound: float | None, whole: Callable[[float], int]) -> Any:
    """A bound in the values' own type: numpy would compare large integers with a float as floats, inexactly."""
    import numpy as np

    if bound is None or values.dtype.kind == "f":
        return bound
    limits = np.iinfo(values.dtype)
    number = whole(bound)
    if number < limits.min:
        # below all of them: as a lower bound it keeps all, as an upper one nothing
        return None if whole is math.ceil else np.float64(-np.inf)
    if number > limits.max:
        return None if whole is math.floor else np.float64(np.inf)
    return values.dtype.type(number)


@dataclass(frozen=True, kw_only=True)
class AllowedValuesRule(FieldRule):
    """Values of a list; ``1`` and ``1.0`` are the same number, ``true`` and ``1`` are not.

    :param values: texts, numbers, booleans
    """

    rule: ClassVar[str] = "allowed_values"

    values: Sequence[Scalar]

    def check(self) -> None:
        """At least one value of a type that a field may have."""
        values = self.values
        if not isinstance(values, list | tuple) or not values:
            raise refuse(self.rule, "values", values, "is not a list of values", "give at least one value")
        for value in values:
            if not isinstance(value, str | int | float):
                raise refuse(
                    self.rule, "values", value, "is not a field's value", "give texts, numbers, booleans"
                )
        object.__setattr__(self, "values", tuple(values))

    def find(self, points: Points) -> NDArray[Any]:
        """Points with another value."""
        import numpy as np

        if points.kind == "string":
            allowed = {value for value in self.values if isinstance(value, str)}
            return _judged(points.values, lambda text: text not in allowed)
        is_boolean = points.kind == "boolean"
        alike = [v for v in self.values if not isinstance(v, str) and isinstance(v, bool) == is_boolean]
        good = np.zeros(len(points), bool)
        for value in alike:
            good |= _equals(points.values, value)
        return ~good


def _equals(values: NDArray[Any], value: float) -> Any:
    """Equality that is exact for large integers too."""
    import numpy as np

    if values.dtype.kind not in "iu":
        return values == value
    limits = np.iinfo(values.dtype)
    if value != int(value) or not limits.min <= int(value) <= limits.max:
        return False
    return values == values.dtype.type(int(value))


@dataclass(frozen=True, kw_only=True)
class PatternRule(FieldRule):
    """Texts that a regular expression matches from begin to end. A number or a boolean is no text.

    :param pattern: in Python's syntax
    """

    rule: ClassVar[str] = "pattern"

    pattern: str

    def check(self) -> None:
        """The expression can be compiled."""
        require_pattern(self.rule, "pattern", self.pattern)

    def find(self, points: Points) -> NDArray[Any]:
        """Points with another text."""
        import numpy as np

        if points.kind != "string":
            return np.ones(len(points), bool)
        matches = re.compile(self.pattern).fullmatch
        return _judged(points.values, lambda text: matches(text) is None)


@dataclass(frozen=True, kw_only=True)
class FiniteRule(FieldRule):
    """No NaN, no infinity. InfluxDB refuses them as numbers, so they arrive as texts.

    :param texts: texts that count, whatever their case and the spaces around them
    """

    rule: ClassVar[str] = "finite"

    texts: Sequence[str] = NOT_NUMBERS

    def check(self) -> None:
        """Require that ``texts`` holds texts only."""
        object.__setattr__(self, "texts", require_texts(self.rule, "texts", self.texts))

    def reads(self, kind: str) -> bool:
        """InfluxDB holds no number that is none: only texts have to be read."""
        return kind == "string"

    def cannot_break(self, kind: str) -> bool:
        """InfluxDB refuses numbers that are none."""
        return kind != "string"

    def find(self, points: Points) -> NDArray[Any]:
        """Texts that say NaN or infinity."""
        refused = {text.strip().casefold() for text in self.texts}
        return _judged(points.values, lambda text: text.strip().casefold() in refused)


def _judged(texts: NDArray[Any], is_bad: Callable[[str], bool]) -> NDArray[Any]:
    """Judge each distinct text once."""
    import numpy as np

    listed = texts.tolist()
    verdicts = {text: is_bad(text) for text in set(listed)}
    return np.fromiter((verdicts[text] for text in listed), bool, len(listed))
