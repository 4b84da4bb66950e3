"""Checks of the parameters of rules, each with the parameter that is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.exceptions import InvalidDuration, RuleInvalid
from airflow_provider_influx_rollup.shown import shown
from airflow_provider_influx_rollup.windows.duration import Duration

Number = int | float


def refuse(rule: str, parameter: str, value: object, why: str, fix: str) -> RuleInvalid:
    """The error of one parameter.

    :param why: what is wrong with the value, such as ``is not a number``
    """
    return RuleInvalid(f"rule {rule!r}: {parameter}={shown(value)} {why}", parameter=parameter, fix=fix)


def require_number(
    rule: str, parameter: str, value: Any, *, low: Number | None = None, high: Number | None = None
) -> None:
    """A finite number, from low to high.

    :raises RuleInvalid: when it is none
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise refuse(rule, parameter, value, "is not a number", "give a finite number")
    if low is not None and value < low:
        raise refuse(rule, parameter, value, f"is less than {low}", f"give {low} or more")
    if high is not None and value > high:
        raise refuse(rule, parameter, value, f"is more than {high}", f"give {high} or less")


def _is_finite(value: Number) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False  # an integer beyond all floats


def require_whole(rule: str, parameter: str, value: Any, *, low: int) -> None:
    """A whole number.

    :raises RuleInvalid: when it is none, or less than ``low``
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise refuse(rule, parameter, value, "is not possible", f"give a whole number, {low} or more")


def require_truth(rule: str, parameter: str, value: Any) -> None:
    """True or False.

    :raises RuleInvalid: when it is neither
    """
    if not isinstance(value, bool):
        raise refuse(rule, parameter, value, "is neither true nor false", "give True or False")


def require_choice(rule: str, parameter: str, value: Any, choices: Sequence[str]) -> None:
    """One of some words.

    :raises RuleInvalid: when it is none of them
    """
    if value not in choices:
        raise refuse(rule, parameter, value, "is not possible", f"use one of {', '.join(choices)}")


def require_text(rule: str, parameter: str, value: Any) -> None:
    """A text that is not empty.

    :raises RuleInvalid: when it is none
    """
    if not isinstance(value, str) or not value:
        raise refuse(rule, parameter, value, "is not a text", "give a text that is not empty")


def require_tag_value(rule: str, parameter: str, value: Any) -> None:
    """A text that InfluxDB can hold as a tag's value.

    :raises RuleInvalid: when it cannot
    """
    require_text(rule, parameter, value)
    if re.search(r"[\0\r\n]|\\$", value):
        raise refuse(rule, parameter, value, "has a line break, or ends with a backslash", "rename it")


def require_texts(rule: str, parameter: str, value: Any) -> tuple[str, ...]:
    """One text or several, as a tuple.

    :raises RuleInvalid: when one is no text, or there is none
    """
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise refuse(rule, parameter, value, "is not a list of texts", "give at least one text")
    return tuple(texts)


def require_texts_by_key(rule: str, parameter: str, value: Any) -> dict[str, tuple[str, ...]]:
    """Texts by tag key.

    :raises RuleInvalid: when it is no mapping, or a value is no text
    """
    if not isinstance(value, Mapping):
        raise refuse(rule, parameter, value, "is not a mapping", "give {tag: [values]}")
    return {str(key): require_texts(rule, f"{parameter}[{key}]", texts) for key, texts in value.items()}


def require_text_by_text(rule: str, parameter: str, value: Any) -> dict[str, str]:
    """A text by each of some texts.

    :raises RuleInvalid: when it is no such mapping
    """
    if not isinstance(value, Mapping) or not all(isinstance(t, str) for pair in value.items() for t in pair):
        raise refuse(rule, parameter, value, "is not a mapping of texts", "give {text: new text}")
    return dict(value)


def require_duration(rule: str, parameter: str, value: Any, *, allow_zero: bool = False) -> Duration:
    """A duration of a fixed length: a Flux text, a timedelta, or one of pendulum's.

    :raises RuleInvalid: when it is none
    """
    duration: Duration | None
    try:
        duration = Duration.of(value, allow_zero=allow_zero)
    except InvalidDuration:
        duration = None
    if duration is None or duration.months:
        raise refuse(rule, parameter, value, "is not a duration", "give a Flux duration such as 10m, 1h, 7d")
    return duration


def require_pattern(rule: str, parameter: str, value: Any) -> None:
    """A regular expression.

    :raises RuleInvalid: when it cannot be compiled
    """
    require_text(rule, parameter, value)
    try:
        re.compile(value)
    except re.error as error:
        raise refuse(rule, parameter, value, f"is not a regular expression: {error}", "correct it") from error
