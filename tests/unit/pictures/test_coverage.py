from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.plan.cells import WORST_FIRST, cells_of
from airflow_provider_influx_rollup.lifecycle.plan.coverage import (
    CoverageResult,
    WindowCoverage,
    WindowState,
)
from airflow_provider_influx_rollup.pictures.coverage import LOOKS, draw_coverage
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COMMITTED, MISSING, NOT_DUE = WindowState.COMMITTED, WindowState.MISSING, WindowState.NOT_DUE


def result(states: Sequence[WindowState], name: str = "cpu") -> CoverageResult:
    windows = [Interval(START + number * HOUR, START + (number + 1) * HOUR) for number in range(len(states))]
    covered = tuple(
        WindowCoverage(window=window, state=state, why="" if state is COMMITTED else f"why <{state.value}>")
        for window, state in zip(windows, states, strict=True)
    )
    return CoverageResult(name, Interval.spanning(windows), covered)


@given(st.lists(st.sampled_from(WindowState), max_size=300), st.integers(1, 100))
def test_cells_have_every_window_once_and_show_the_worst(states: list[WindowState], most: int) -> None:
    cells = cells_of(states, most)
    assert len(cells) == min(len(states), most)
    assert [number for cell in cells for number in range(cell.first, cell.last)] == list(range(len(states)))
    for cell in cells:
        assert cell.state == min(states[cell.first : cell.last], key=WORST_FIRST.index)


def test_row_is_coloured_by_the_share_of_time_of_each_state(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    states = [COMMITTED] * 150 + [WindowState.PLANNED] * 50
    pixels = image.imread(draw_coverage([result(states)], tmp_path / "a" / "b.png", "png"))[:, :, :3]
    line = pixels[_row_of(pixels, LOOKS[COMMITTED][0])]
    counts = [_count(line, LOOKS[state][0]) for state in (COMMITTED, WindowState.PLANNED)]
    assert counts[0] / sum(counts) == pytest.approx(0.75, abs=0.01)


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def _count(line: np.ndarray, color: str) -> int:
    return int((np.abs(line - _rgb(color)).max(axis=-1) < 0.02).sum())


def _row_of(pixels: np.ndarray, color: str) -> int:
    return int(np.argmax([_count(line, color) for line in pixels]))


def test_one_missing_window_of_a_year_is_seen(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    states = [COMMITTED] * 8760
    states[5000] = MISSING
    pixels = image.imread(draw_coverage([result(states)], tmp_path / "b.png", "png"))[:, :, :3]
    line = pixels[_row_of(pixels, LOOKS[COMMITTED][0])]
    reds = np.flatnonzero((line[:, 0] > 0.6) & (line[:, 1] < 0.4) & (line[:, 2] < 0.45))
    greens = np.flatnonzero(np.abs(line - _rgb(LOOKS[COMMITTED][0])).max(axis=-1) < 0.02)
    assert len(reds)
    place = (reds.mean() - greens.min()) / (greens.max() - greens.min())
    assert place == pytest.approx(5000 / 8760, abs=0.01)


class Page(HTMLParser):
    """Collects the tags, the cells of tables and what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "td":
            self.cells.append("")
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "td":
            self.cells[-1] += data


def test_page_lists_the_gaps_and_loads_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    states = [COMMITTED, MISSING, MISSING, COMMITTED, WindowState.FROZEN, NOT_DUE]
    name = '<script>alert("x")</script> $\\alpha$'
    file = draw_coverage([result(states, name), result([COMMITTED], "b")], tmp_path / "c.html", "html")
    page = Page()
    page.feed(file.read_text())
    assert "script" not in page.tags
    assert {address for address in page.loaded if not address.startswith("#")} == set()
    rows = [page.cells[place : place + 4] for place in range(0, len(page.cells), 4)]
    assert [[cell.strip() for cell in row[1:]] for row in rows] == [
        ["2", "missing", "why <missing>"],
        ["1", "frozen", "why <frozen>"],
    ]
    assert [re.findall(r"T(\d\d)", row[0]) for row in rows] == [["01", "03"], ["04", "05"]]


def test_svg_is_xml_when_there_are_many_pipelines(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = [result([COMMITTED] * (number + 1), f"p{number} & q") for number in range(30)]
    root = ET.parse(draw_coverage(found, tmp_path / "d.svg", "svg")).getroot()  # noqa: S314 - our own
    assert root.tag.endswith("svg")


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"the picture .*file/e.png' cannot be written"):
        draw_coverage([result([COMMITTED])], tmp_path / "file" / "e.png", "png")
