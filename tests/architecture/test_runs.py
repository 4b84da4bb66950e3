"""The runs of ``make test`` have each test that one run would have: on each Airflow what touches it, and once the rest."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from dev import run_tests
from tests.conftest import may_select, touches_airflow

REPOSITORY = Path(__file__).resolve().parents[2]


def _arguments_of(target: str) -> list[str]:
    """What the Makefile gives to dev/run_tests.py."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(
        ["make", "--dry-run", target, "AIRFLOW=", "PYTEST_ARGS="],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.replace("\\\n", " ")
    (line,) = [line for line in told.splitlines() if "dev/run_tests.py" in line]
    _, _, arguments = line.partition("dev/run_tests.py")
    return shlex.split(arguments)


def _selects(marks: str, item: pytest.Item) -> bool:
    names = {mark.name for mark in item.iter_markers()}
    return not marks or Expression.compile(marks).evaluate(lambda name, /, **_: name in names)


def test_each_file_is_read_once_or_on_each_airflow_when_all_are_run() -> None:
    *on_airflow, without = run_tests.marks_of_runs(run_tests.parsed(_arguments_of("test"))[0])
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        airflow = touches_airflow(path)
        assert [may_select(marks, airflow=airflow) for marks in on_airflow] == [airflow] * 2, path
        assert may_select(without, airflow=airflow) == (not airflow), path


@pytest.mark.parametrize(
    ("marks", "kinds"),
    [
        ("", {True, False}),
        ("slow or live", {True, False}),
        ("(not slow) and airflow", {True}),
        ("not airflow and not (bench or slow)", {False}),
        ("not airflow or faults", {True, False}),
        ("airflow and not airflow", set()),
    ],
)
def test_file_is_left_out_when_marks_select_none_of_its_tests(marks: str, kinds: set[bool]) -> None:
    assert {airflow for airflow in (True, False) if may_select(marks, airflow=airflow)} == kinds


def test_each_test_runs_once_or_on_each_airflow_when_all_are_run(collected: list[pytest.Item]) -> None:
    """Of what this session has collected; in ``make test`` that is all that touches no Airflow."""
    options, rest = run_tests.parsed(_arguments_of("test"))
    *on_airflow, without = run_tests.marks_of_runs(options)
    assert (options.versions, rest) == (["3.3", "2.11"], [])
    for item in collected:
        touches = item.get_closest_marker("airflow") is not None
        asked = _selects(options.marks, item)
        assert [_selects(marks, item) for marks in on_airflow] == [asked and touches] * 2, item.nodeid
        assert _selects(without, item) == (asked and not touches), item.nodeid
    assert any(_selects(marks, item) for item in collected for marks in (without, *on_airflow))


def test_unit_live_and_airflow_are_all_tests_when_run_one_after_the_other(
    collected: list[pytest.Item],
) -> None:
    test, airflow, live = (
        run_tests.parsed(_arguments_of(target))[0].marks for target in ("test", "airflow", "live")
    )
    for item in [item for item in collected if _selects(test, item)]:
        folder = item.path.relative_to(REPOSITORY / "tests").parts[0]
        is_in_unit = folder in {"unit", "architecture", "property", "simulation"}
        is_in_live = folder == "live" and _selects(live, item)
        assert _selects(airflow, item) or is_in_unit or is_in_live, item.nodeid


def test_everything_in_the_folder_of_dags_touches_airflow(collected: list[pytest.Item]) -> None:
    folders = REPOSITORY / "tests" / "airflow", REPOSITORY / "tests" / "unit" / "airflow_adapters"
    for item in collected:
        if item.path.is_relative_to(folders[0]) or item.path.is_relative_to(folders[1]):
            assert item.get_closest_marker("airflow"), item.nodeid


@pytest.mark.parametrize(
    ("arguments", "marks"),
    [
        (["3.3", "--", "-m", "faults"], ["faults"]),
        (["3.3", "2.11"], ["", ""]),
        (["--no-airflow", "3.3", "--", "-m", "slow or live"], ["(slow or live) and not airflow"]),
        (["3.3", "--no-airflow", "3.3"], ["airflow", "not airflow"]),
        (
            ["3.3", "--no-airflow", "3.3", "--", "-m", "not slow", "-mlive"],
            ["(live) and airflow", "(live) and not airflow"],
        ),
    ],
)
def test_the_last_marks_are_divided_when_a_run_without_airflow_is_asked_for(
    arguments: list[str], marks: list[str]
) -> None:
    options, _ = run_tests.parsed(arguments)
    assert run_tests.marks_of_runs(options) == marks


def test_other_arguments_reach_pytest_as_they_are() -> None:
    _, rest = run_tests.parsed(["3.3", "--", "tests/live", "-m", "live", "-k", "grid", "--maxfail=2", "-x"])
    assert rest == ["tests/live", "-k", "grid", "--maxfail=2", "-x"]


@pytest.mark.parametrize("arguments", [[], ["--", "-x"], ["3.1"], ["--no-airflow", "3.1"]])
def test_no_run_starts_when_no_known_version_is_named(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        run_tests.parsed(arguments)


@pytest.mark.parametrize(
    ("statuses", "right"),
    [
        ([0, 0, 0], True),
        ([0, 5, 0], True),
        ([5, 5, 0], True),
        ([5, 5, 5], False),
        ([5], False),
        ([0, 1, 0], False),
        ([0, 5, 2], False),
        ([0, 0, None], False),
        ([0, 0, -9], False),
    ],
)
def test_make_fails_when_a_run_failed_or_no_run_had_tests(statuses: list[int | None], right: bool) -> None:
    assert run_tests.all_right(statuses) is right


def test_data_is_in_memory_only_when_there_is_room_and_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(run_tests, "ROOM", free // 2)
    assert run_tests.parent_of_data(None, tmp_path) == tmp_path
    assert run_tests.parent_of_data("2G", tmp_path) is None
    assert run_tests.parent_of_data(None, tmp_path / "none") is None
    monkeypatch.setattr(run_tests, "ROOM", free * 2)
    assert run_tests.parent_of_data(None, tmp_path) is None
