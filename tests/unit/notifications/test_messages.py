"""What people are told, from errors and from a deadman's findings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    InfluxUnavailable,
    SourceChanging,
    WindowsFailed,
)
from airflow_provider_influx_rollup.notifications.messages import WindowFailure, deadman_news, failure_of
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))
WORDS = st.text(st.sampled_from("ab c:()[],;'-0"), min_size=1).map(lambda text: f"x{text}".strip(" ."))


def raised(error: Exception, cause: BaseException | None) -> Exception:
    """An error after it was raised from another one."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_parts_of_our_error_are_known_when_it_is_only_the_cause() -> None:
    own = SourceChanging("points came", window=WINDOW, written="some rows", fix="raise lateness")
    expected = WindowFailure(
        name="SourceChanging",
        what="points came",
        window=str(WINDOW),
        written="some rows",
        fix="raise lateness",
    )
    assert failure_of(own) == expected
    assert failure_of(raised(RuntimeError("SourceChanging: something"), own)) == expected
    assert expected.lines() == [
        "What: SourceChanging: points came",
        "Window: [2024-05-06T10:00:00Z, 2024-05-06T11:00:00Z)",
        "Written: some rows",
        "To do: raise lateness",
    ]


@given(what=WORDS, written=st.none() | WORDS, fix=st.none() | WORDS, has_window=st.booleans())
def test_parts_are_read_from_the_text_when_the_error_came_from_the_triggerer(
    what: str, written: str | None, fix: str | None, has_window: bool
) -> None:
    own = InfluxUnavailable(what, window=WINDOW if has_window else None, written=written, fix=fix)
    assert failure_of(f"InfluxUnavailable: {own}") == failure_of(own)


def test_failed_windows_are_said_with_the_whole() -> None:
    cause = InfluxRollupError("bad", window=WINDOW)
    text = failure_of(
        WindowsFailed("1 of 2 windows failed", failed=[(WINDOW, cause)], fix="run it again")
    ).lines()
    assert text == ["What: WindowsFailed: 1 of 2 windows failed", "To do: run it again"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("a"), WindowFailure(name="KeyError", what="'a'")),
        (ValueError(""), WindowFailure(name="ValueError", what="no message")),
        (ValueError("first\nAuthorization: Token abc"), WindowFailure(name="ValueError", what="first")),
        ("timed out", WindowFailure(name="", what="timed out")),
        ("Bogus: what. Window: x", WindowFailure(name="", what="Bogus: what. Window: x")),
    ],
)
def test_little_is_told_of_an_error_that_is_none_of_ours(error: object, expected: WindowFailure) -> None:
    assert failure_of(error) == expected


def found(**changes: Any) -> dict[str, Any]:
    def series(*names: str) -> list[dict[str, Any]]:
        return [{"series": {"device": name}, "state": "x", "last_seen": None} for name in names]

    result: dict[str, Any] = {"window": WINDOW.as_json(), "expected": 9, "dead_count": 0, "is_latest": True}
    for kind in ("newly_dead", "came_back"):
        names = changes.pop(kind, ())
        result |= {kind: series(*names), f"{kind}_count": len(names)}
    return result | changes


def test_news_are_told_once_and_only_of_the_present() -> None:
    assert deadman_news(found(dead_count=3), "fleet") is None
    assert deadman_news(found(newly_dead=["a"], dead_count=3), "fleet") == (
        "1 series of fleet fell silent at 2024-05-06T11:00:00Z: device=a (last point never)\n3 of 9 are silent now"
    )
    assert deadman_news(found(came_back=["a"]), "fleet") == (
        "1 series of fleet came back at 2024-05-06T11:00:00Z: device=a (last point never)\nAll report now"
    )
    assert deadman_news(found(came_back=["a"], is_latest=False), "fleet") is None
    assert "and 2 more" in str(deadman_news(found(newly_dead=list("abcdefg")), "fleet"))
