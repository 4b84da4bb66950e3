"""How answers are printed."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from airflow_provider_influx_rollup.cli.bar import MARKS, bar, legend
from airflow_provider_influx_rollup.cli.machine import check_zones, examine_machine, is_supported
from airflow_provider_influx_rollup.cli.output import OPTIONS, Output, plain, seconds, size, table
from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from airflow_provider_influx_rollup.lifecycle.doctor.findings import Severity
from airflow_provider_influx_rollup.lifecycle.plan.cells import WORST_FIRST
from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState

CHECKOUT = Path(__file__).parents[3]
C, M, W, N = WindowState.COMMITTED, WindowState.MISSING, WindowState.WRITING, WindowState.NOT_DUE


def console(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width)


def printed(*parts: object, width: int = 100) -> str:
    made = Console(file=io.StringIO(), width=width, markup=False)
    made.print(*parts)
    assert isinstance(made.file, io.StringIO)
    return made.file.getvalue()


@pytest.mark.parametrize("as_json", [False, True])
def test_options_are_named_when_an_error_names_parameters(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    fixes = ("set allow_missing=True", "set overwrite=True", "set require_archive=False when nothing")
    for fix in fixes:
        Output(as_json=as_json, is_verbose=False).fail("restore", ArchiveMissing("no archive", fix=fix))
    told = capsys.readouterr()
    for text in (told.err, told.out) if as_json else (told.err,):
        assert text.count("--allow-missing") == 2
        assert text.count("--overwrite") == 1
        assert "=" not in text


def test_no_word_of_an_option_is_out_of_date() -> None:
    package = CHECKOUT / "airflow_provider_influx_rollup"
    text = "\n".join(path.read_text() for path in package.rglob("*.py") if path.name != "output.py")
    assert [words for words in OPTIONS if words not in text] == []


def test_each_state_has_a_mark_when_a_bar_is_drawn() -> None:
    assert set(MARKS) == set(WORST_FIRST) == set(WindowState)
    assert len({mark for mark, _ in MARKS.values()}) == len(WindowState)
    assert all(state.replace("_", " ") in legend().plain for state in WindowState)


def test_bar_has_a_character_for_each_window_when_they_fit() -> None:
    assert bar([C, C, M, W, N], console()).plain == "|##_!.|"


def test_the_worst_state_shows_when_windows_share_a_character() -> None:
    many = [C] * 1000
    many[500] = M
    assert bar(many, console(52)).plain == "|" + "#" * 25 + "_" + "#" * 24 + "|"
    assert bar([C, N], console(3)).plain == "|#|"


def test_markup_and_control_characters_are_plain_when_a_name_holds_them() -> None:
    name = "[bold]x[/bold] \x1b[31m é 早"
    assert plain(name).plain == "[bold]x[/bold] \\x1b[31m é 早"
    assert "[bold]x[/bold] \\x1b[31m é 早" in printed(table(("name", ">n"), [(name, 3)]))


def test_long_values_are_folded_and_kept_when_a_table_is_narrow() -> None:
    text = printed(table(("a", "b"), [("x" * 30, "y" * 30)]), width=20)
    assert (text.count("x"), text.count("y")) == (30, 30)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (0.04, "0.0 s"), (90, "90.0 s"), (600, "10.0 min"), (9000, "2.5 h")],
)
def test_seconds_are_readable_when_printed(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e13, "30.0 TB")]
)
def test_sizes_are_readable_when_printed(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("version", "is_ok"),
    [
        ("2.10.5", False),
        ("2.11.0", True),
        ("3.0.6", False),
        ("3.1.0", True),
        ("3.3.2rc1", True),
        ("4.0.0", False),
    ],
)
def test_airflow_is_supported_when_its_version_is(version: str, is_ok: bool) -> None:
    assert is_supported(version) is is_ok


def test_machine_is_right_when_the_tests_run_on_it() -> None:
    assert {finding.status for finding in examine_machine()} == {Severity.OK}


def test_zones_fail_when_the_database_lacks_or_misplaces_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_influx_rollup.cli import machine

    summer = datetime(2025, 7, 1, tzinfo=UTC)
    monkeypatch.setattr(machine, "KNOWN_OFFSETS", (("Europe/Berlin", summer, 1.0),))
    assert check_zones("1").status is Severity.FAIL
    monkeypatch.setattr(machine, "KNOWN_OFFSETS", (("Mars/Olympus", summer, 1.0),))
    assert check_zones(None).message.endswith("does not have Mars/Olympus")
