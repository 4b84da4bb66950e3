"""Options, exit codes and intervals of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import fsspec.registry  # noqa: F401 - one of its names is replaced
import pytest

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.cli.archive_place import wanted_interval
from airflow_provider_influx_rollup.cli.connection import settings_of
from airflow_provider_influx_rollup.cli.exit_codes import INTERRUPTED, RIGHT, UNUSABLE, WRONG, code_of_error
from airflow_provider_influx_rollup.cli.interval import interval_of
from airflow_provider_influx_rollup.cli.main import COMMANDS, build_parser, main
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError, WindowError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec

SECRET = "s3cret-token"
NOW = datetime(2025, 3, 30, 12, 34, tzinfo=UTC)
BERLIN = GridSpec("1d", timezone="Europe/Berlin")


def span(grid: GridSpec, start: str | None = None, stop: str | None = None, last: str = "7d") -> str:
    return str(interval_of(Namespace(start=start, stop=stop, last=last), grid, NOW))


@pytest.mark.parametrize(
    ("grid", "start", "stop", "last", "expected"),
    [
        (GridSpec("1h"), None, None, "2h", "[2025-03-30T10:00:00Z, 2025-03-30T12:00:00Z)"),
        (GridSpec("1h"), "2025-03-29", None, "2h", "[2025-03-29T00:00:00Z, 2025-03-30T12:00:00Z)"),
        # what the options touch, in whole windows
        (
            GridSpec("1h"),
            "2025-03-29T10:20:00Z",
            "2025-03-29T11:01:00Z",
            "2h",
            "[2025-03-29T10:00:00Z, 2025-03-29T12:00:00Z)",
        ),
        # dates are days of the pipeline's zone; the 30th has 23 hours there
        (BERLIN, "2025-03-30", "2025-03-31", "7d", "[2025-03-29T23:00:00Z, 2025-03-30T22:00:00Z)"),
        (BERLIN, None, "2025-03-31", "1d", "[2025-03-29T23:00:00Z, 2025-03-30T22:00:00Z)"),
        # a window longer than --last
        (GridSpec("1mo"), None, None, "1d", "[2025-02-01T00:00:00Z, 2025-03-01T00:00:00Z)"),
    ],
)
def test_whole_windows_are_taken_when_times_are_given(
    grid: GridSpec, start: str | None, stop: str | None, last: str, expected: str
) -> None:
    assert span(grid, start, stop, last) == expected


def test_interval_is_refused_when_it_makes_no_sense() -> None:
    with pytest.raises(WindowError, match="is not before"):
        span(GridSpec("1h"), "2025-03-29", "2025-03-28")
    with pytest.raises(exceptions.WindowUndefined, match="time zone"):
        span(GridSpec("1h"), "2025-03-29T10:00:00")
    with pytest.raises(exceptions.WindowUndefined, match="finer than a microsecond"):
        span(GridSpec("1h"), "2025-03-29T10:00:00.123456789Z")
    with pytest.raises(exceptions.InvalidDuration):
        span(GridSpec("1h"), last="soon")
    for grid in (GridSpec("1h"), BERLIN):
        for given in ({"stop": "0001-01-01"}, {"start": "9999-12-31"}, {"start": "1600-01-01T00:00:00Z"}):
            with pytest.raises(exceptions.WindowUndefined, match="outside of what InfluxDB can store"):
                span(grid, **given)
        with pytest.raises(WindowError, match=r"9999y before .* is outside of all calendars"):
            span(grid, last="9999y")


def test_times_are_taken_as_they_are_when_there_are_no_windows() -> None:
    """A second more would be erased, restored or archived otherwise."""
    exact = Namespace(start="2025-03-08T00:00:00.5Z", stop="2025-03-08T00:00:00.700000000Z", last=None)
    assert str(wanted_interval(exact)) == "[2025-03-08T00:00:00.5Z, 2025-03-08T00:00:00.7Z)"
    assert wanted_interval(Namespace(start=None, stop=None, last="1d")).stop.microsecond == 0


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("nosuch://lake/x", "correct the scheme of the URL"),
        ("s3://aws_default@lake/x", "names an Airflow connection, which nothing reads here"),
    ],
)
@pytest.mark.parametrize("command", ["archive", "catalog", "compact", "certificate"])
def test_path_is_refused_as_json_when_nothing_can_open_it(
    command: str, base: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [base, "--org", "o", "--bucket", "b", "--measurement", "m"]
    more = {"archive": ["--verify"], "compact": ["--into", "1d"]}.get(command, [])
    asked = ["verify", base] if command == "certificate" else [*place, *more]
    assert main([command, *asked, "--json"]) == UNUSABLE
    assert words in json.loads(capsys.readouterr().out)["error"]["message"]


def test_extra_is_named_when_the_library_of_a_store_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr(sys.modules["fsspec.registry"], "registry", {})
    assert main(["catalog", "s3://lake/x", "--org", "o", "--bucket", "b", "--measurement", "m"]) == UNUSABLE
    assert "install airflow-provider-influx-rollup[s3]" in capsys.readouterr().err


def test_every_error_has_its_code_when_a_script_asks() -> None:
    codes = {
        name: code_of_error(error_class("what"))
        for name, error_class in vars(exceptions).items()
        if isinstance(error_class, type) and issubclass(error_class, InfluxRollupError)
    }
    assert {name for name, code in codes.items() if code == WRONG} >= {
        "WindowFrozen",
        "SourceChanging",
        "SourceIncomplete",
        "PartialWrite",
    }
    assert {name for name, code in codes.items() if code == UNUSABLE} >= {
        "ConfigurationError",
        "InfluxUnauthorized",
        "InfluxUnavailable",
        "StoreForbidden",
        "WindowMisaligned",
    }


@pytest.mark.parametrize(
    "argv",
    [
        ["coverage", "--token", SECRET],
        ["coverage", f"--token={SECRET}"],
        ["coverage", f"--tokn={SECRET}"],
        ["coverage", SECRET],
        ["coverage", "--url", f"http://user:{SECRET}@localhost:1", "--org", "o"],
    ],
    ids=["option", "with equals", "mistyped", "alone", "in the URL"],
)
def test_token_is_not_repeated_when_it_is_on_the_command_line(
    argv: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", "other")
    try:
        code: object = main(argv)
    except SystemExit as left:
        code = left.code
    assert code == UNUSABLE
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert printed.err


def test_interrupt_leaves_no_traceback_when_it_comes_before_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("build_parser", "_output"):
        with monkeypatch.context() as patched:
            patched.setattr(sys.modules["airflow_provider_influx_rollup.cli.main"], place, interrupted)
            assert main(["doctor"]) == INTERRUPTED


@pytest.mark.parametrize(
    "argv",
    [
        ["coverage", "--last"],
        ["coverage", "--tokn", SECRET],
        ["coverage", "--token", SECRET],
        ["reconcile", "--pipeline", "p", "--max-windows", "many"],
        ["plan", "--pipeline", "p", "--dag-id", "d"],
    ],
)
def test_refusal_is_json_when_a_program_makes_a_wrong_call(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, "--json"]) == UNUSABLE
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["command"], told["is_right"], told["error"]["name"]) == (
        argv[0],
        False,
        "ConfigurationError",
    )
    assert printed.err == f"ConfigurationError: {told['error']['message']}\n"
    assert SECRET not in printed.out
    assert main(argv) == UNUSABLE
    printed = capsys.readouterr()
    assert (printed.out, printed.err[: len("usage: ")]) == ("", "usage: ")


def options(**given: str | None) -> Namespace:
    return Namespace(**({"url": None, "org": None, "token_file": None, "ssl_ca_cert": None} | given))


def test_options_go_before_the_environment_when_both_name_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "ORG", "TOKEN"):
        monkeypatch.setenv(f"INFLUX_{name}", f"http://{name.lower()}")
    taken = settings_of(options())
    assert (taken.url, taken.org, taken.token(False)) == ("http://url", "http://org", "http://token")
    token_file = tmp_path / "token"
    token_file.write_text("one\n")
    taken = settings_of(options(url="http://here", org="o", token_file=str(token_file)))
    token_file.write_text("two")
    assert (taken.url, taken.org) == ("http://here", "o")
    assert [taken.token(False), taken.token(True), taken.token(False)] == ["one", "two", "two"]
    assert "two" not in repr(taken)


def test_what_is_missing_is_named_when_there_is_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "ORG", "TOKEN"):
        monkeypatch.delenv(f"INFLUX_{name}", raising=False)
    with pytest.raises(ConfigurationError, match="INFLUX_URL"):
        settings_of(options())
    with pytest.raises(ConfigurationError, match="INFLUX_TOKEN"):
        settings_of(options(url="http://here", org="o"))
    for text in ("", f"{SECRET} and a comment"):
        token_file = tmp_path / "token"
        token_file.write_text(text)
        with pytest.raises(ConfigurationError, match="no token") as caught:
            settings_of(options(url="http://here", org="o", token_file=str(token_file)))
        assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        settings_of(options(url="http://here", org="o", token_file=str(tmp_path / "none")))


def test_every_command_explains_itself_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        words = [command.name, *(["list"] if command.name == "tasks" else []), "--help"]
        with pytest.raises(SystemExit) as left:
            build_parser().parse_args(words)
        assert left.value.code == 0
        shown = capsys.readouterr().out
        # certificates are checked with nothing but the files; the schema is the package's own
        of_servers = () if command.name in ("certificate", "schema", "tiers") else ("--token-file",)
        assert [word for word in ("--json", *of_servers, "exit codes") if word not in shown] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tasks"], "{list,history,diff,deploy,adopt}"),
        (["tasks", "deploy"], "required: FILE"),
        (
            ["tasks", "list", f"--tokn={SECRET}"],
            "influx-rollup tasks list: error: this command does not have --tokn;",
        ),
        (["tasks", "list", "--tokn", SECRET], "this command does not have --tokn;"),
        (["tasks", "deploy", "a.flux", "--state", "absent", SECRET], "names and files stand together"),
        (["coverage", f"-t{SECRET}"], "words where this command has none"),
        (["coverage", SECRET], "a pipeline is named by its option: influx-rollup coverage --pipeline NAME"),
        (["rnu", "telegraf.yaml"], "there is no 'rnu'; did you mean run"),
        (["telegraf.yaml"], "the command stands before it, such as: influx-rollup run telegraf.yaml"),
        ([SECRET], "there is no such word; use one of init, run,"),
        (["tasks", "lst"], "there is no 'lst'; did you mean list?"),
        (["token", SECRET, "x.yaml"], "use one of plan, create"),
        (["--json", "coverage"], "--json stands before the command; options stand after it"),
        (
            ["run", "a.yaml", "--mesurement", "cpu"],
            "does not have --mesurement; did you mean --measurement? see --help",
        ),
        (["run", "a.yaml", "b.yaml"], "it takes one file at a time: run it once more for b.yaml"),
        (
            ["plan", "--pipeline", "p", "telegraf.yaml"],
            "a file is given by its option: influx-rollup plan --lifecycle telegraf.yaml",
        ),
        (["schema", "telegraf.yaml"], "it takes no file such as telegraf.yaml; see --help"),
    ],
)
def test_what_was_not_understood_is_named_and_no_value_repeated(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == UNUSABLE
    said = " ".join(capsys.readouterr().err.split())
    assert told in said
    assert SECRET not in said


def test_options_may_stand_before_the_files_of_an_action() -> None:
    args = build_parser().parse_args(["tasks", "deploy", "--state", "inactive", "a.flux", "b.flux"])
    assert (args.state, args.names) == ("inactive", ["a.flux", "b.flux"])


@pytest.mark.parametrize(
    "argv", [["--last", "1d", "--from", "2025-03-29"], ["--from", "2025-03-29", "--last=1d"]]
)
def test_a_start_is_refused_when_two_options_name_it(argv: list[str]) -> None:
    args = build_parser().parse_args(["coverage", *argv])
    with pytest.raises(WindowError, match="--from and --last both name the start"):
        interval_of(args, GridSpec("1h"), NOW)


def test_a_file_of_certificates_is_refused_when_it_is_not_there(tmp_path: Path) -> None:
    args = build_parser().parse_args(
        ["coverage", "--url", "http://influx:8086", "--org", "o", "--ssl-ca-cert", str(tmp_path / "no.pem")]
    )
    with pytest.raises(ConfigurationError, match=r"no\.pem is no file"):
        settings_of(args)


def answered(*argv: str, stdout: IO[str] | int, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from airflow_provider_influx_rollup.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *argv]
    env = {**os.environ, **environment}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_the_call_is_told_why_when_the_answer_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        done = answered("schema", stdout=full)
    assert (done.returncode, done.stderr) == (
        UNUSABLE,
        "the answer could not be written: No space left on device\n",
    )


def test_names_are_escaped_when_the_terminal_lacks_their_letters(tmp_path: Path) -> None:
    script = tmp_path / "h\u00f6he.flux"
    script.write_text("from(")
    done = answered("lint", "--no-server", str(script), stdout=subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert done.returncode == WRONG
    assert "h\\xf6he.flux:1:" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_the_exit_code_tells_the_verdict_when_the_caller_has_closed_the_output(
    tmp_path: Path, closed: str
) -> None:
    (tmp_path / "broken.flux").write_text("from(")
    code = "import sys; from airflow_provider_influx_rollup.cli.main import main; sys.exit(main())"
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code]
    for argv, expected in (
        (["lint", "--no-server", str(tmp_path / "broken.flux")], WRONG),
        (["schema"], RIGHT),
        (["lint"], UNUSABLE),
    ):
        done = subprocess.run([*command, *argv], capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (expected, False)
