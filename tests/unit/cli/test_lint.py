"""The command lint on texts: what it prints, in which form, with which exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.lint.rules import RULES
from tests.scenes.doc_blocks import CHECKOUT, blocks

ERROR = 'from(bucket: "a") |> last()\n'
WARNING = 'from(bucket: "a")\n  |> range(start: -1h)\n  |> filter(fn: (r) => r.a == "")\n'
SILENT = 'from(bucket: "a") |> last() // lint: ignore no-range - shown in a talk\n'
CLEAN = 'from(bucket: "a") |> range(start: -1h) |> last()\n'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command in a folder with scripts, without a server."""
    for name in ("INFLUX_URL", "INFLUX_ORG", "INFLUX_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b,c:d").mkdir()
    (tmp_path / "b,c:d" / "error.flux").write_text(ERROR)
    for name, text in (("warning", WARNING), ("silent", SILENT), ("clean", CLEAN)):
        (tmp_path / f"{name}.flux").write_text(text)
    (tmp_path / "other.txt").write_text("no Flux")

    def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main(["lint", *arguments])
        return code, *capsys.readouterr()

    return call


def test_a_folder_is_looked_through_when_it_is_named(run: Run) -> None:
    code, out, err = run(".")
    assert code == 1
    assert out.splitlines()[::2] == [
        "b,c:d/error.flux:1:1: error no-range: the bucket 'a' is read without range()",
        (
            "warning.flux:3:24: warning unpruned-filter: the filter is not pushed down: "
            "it compares with an empty text, which means a tag that is not there"
        ),
    ]
    assert err.splitlines() == [
        (
            "not looked at in 4 scripts: without a server, nothing can be said of semantics, missing-bucket, raw-read, "
            "too-many-points"
        ),
        "4 scripts: 1 error, 1 warning; 1 silenced",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["warning.flux"], 0),
        (["warning.flux", "--fail-on", "warning"], 1),
        (["warning.flux", "--fail-on", "note"], 1),
        (["b,c:d/error.flux", "--fail-on", "never"], 0),
        (["clean.flux", "silent.flux", "--fail-on", "note"], 0),
        (["nothing.flux"], 2),
        (["clean.flux", "--json", "--format", "sarif"], 2),
        (["clean.flux", "--format", "xml"], 2),
        (["clean.flux", "--max-points", "3"], 2),
        (["clean.flux", "--param", "site"], 2),
        (["clean.flux", "--every", "soon"], 2),
        ([], 2),
    ],
)
def test_the_exit_code_says_whether_all_is_right(run: Run, arguments: list[str], code: int) -> None:
    assert run(*arguments)[0] == code


def test_a_script_that_is_too_deep_fails_the_command(run: Run) -> None:
    code, out, _ = run("-", stdin=f"x = {'-' * 5000}1")
    assert (code, out.splitlines()[0].split(": ")[:2]) == (1, ["<stdin>:1:1", "error too-deep"])


def test_a_folder_without_scripts_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run("empty")
    assert (code, "the folder 'empty' has no .flux file" in err) == (2, True)


def test_a_file_is_refused_when_it_is_no_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bytes.flux").write_bytes(b"\xff\xfe")
    code, _, err = run("bytes.flux")
    assert (code, "'bytes.flux' is not UTF-8 text" in err) == (2, True)


def test_the_answer_is_json_when_that_is_wanted(run: Run) -> None:
    code, out, _ = run("-", "silent.flux", "--json", stdin=ERROR)
    answer = json.loads(out)
    assert (code, answer["command"], answer["is_right"]) == (1, "lint", False)
    first, second = answer["files"]
    assert first["file"] == "<stdin>"
    assert first["findings"] == [
        {
            "name": "no-range",
            "severity": "error",
            "line": 1,
            "column": 1,
            "message": "the bucket 'a' is read without range()",
            "fix": "add |> range(start: v.timeRangeStart, stop: v.timeRangeStop) after from()",
        }
    ]
    assert [one["reason"] for one in second["silenced"]] == ["shown in a talk"]
    assert len(first["unchecked"]) == 1


def test_annotations_are_escaped_when_github_reads_them(run: Run) -> None:
    _, out, _ = run("b,c:d", "warning.flux", "--format", "github")
    error, warning = out.splitlines()
    assert error.startswith("::error file=b%2Cc%3Ad/error.flux,line=1,col=1,title=no-range::the bucket 'a'")
    assert "%0Afix: add |> range" in error
    assert warning.startswith("::warning file=warning.flux,line=3,col=24,title=unpruned-filter::")


TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1}},
    "required": ["text"],
    "additionalProperties": False,
}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ARTIFACT = _object(uri={"type": "string", "format": "uri-reference", "pattern": "^[^ ]+$"})
COUNT = {"type": "integer", "minimum": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RESULT = _object(
    ruleId={"enum": [rule.name for rule in RULES]},
    ruleIndex={"type": "integer", "minimum": 0, "maximum": len(RULES) - 1},
    level=LEVEL,
    message=TEXT,
    locations={
        "type": "array",
        "minItems": 1,
        "items": _object(
            physicalLocation=_object(
                artifactLocation=ARTIFACT, region=_object(startLine=COUNT, startColumn=COUNT)
            )
        ),
    },
)
RESULT["properties"]["suppressions"] = {
    "type": "array",
    "items": _object(kind={"const": "inSource"}, justification={"type": "string", "minLength": 1}),
}
# the part of SARIF 2.1.0 that is used; the whole log was also checked by the published schema
SARIF = _object(
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": _object(
            tool=_object(
                driver=_object(
                    name={"type": "string"},
                    version={"type": "string"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": _object(
                            id={"type": "string"},
                            shortDescription=TEXT,
                            defaultConfiguration=_object(level=LEVEL),
                        ),
                    },
                )
            ),
            columnKind={"const": "unicodeCodePoints"},
            invocations={"type": "array"},
            artifacts={"type": "array", "items": _object(location=ARTIFACT)},
            results={"type": "array", "items": RESULT},
        ),
    },
)


def test_the_log_is_sarif_when_that_is_wanted(run: Run) -> None:
    code, out, _ = run(".", "-", "--format", "sarif", stdin=ERROR)
    log = json.loads(out)
    assert code == 1
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (made,) = log["runs"]
    assert [one["ruleId"] for one in made["results"]] == [
        "no-range",
        "no-range",
        "unpruned-filter",
        "no-range",
    ]
    for result in made["results"]:
        assert made["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    silent = [one for one in made["results"] if "suppressions" in one]
    assert [one["suppressions"][0]["justification"] for one in silent] == ["shown in a talk"]
    assert len(made["artifacts"]) == 5
    assert len(made["invocations"][0]["toolExecutionNotifications"]) == 5


def test_the_guide_shows_what_is_printed(run: Run, tmp_path: Path) -> None:
    shown = [block.text for block in blocks("text") if block.page.name == "lint.md"]
    script = next(text for text in shown if text.startswith("option task"))
    session = next(text for text in shown if text.startswith("$ influx-rollup lint flux/"))
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "hourly.flux").write_text(script)
    code, out, err = run("flux/")
    printed = out + err.splitlines()[-1]
    assert session == f"$ influx-rollup lint flux/\n{printed}\n$ echo $?\n{code}\n"


def test_the_hook_of_pre_commit_calls_what_there_is(run: Run) -> None:
    (hook,) = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split()
    assert (program, hook["files"]) == ("influx-rollup", r"\.flux$")
    assert run(*arguments[1:], "clean.flux")[0] == 0
    assert arguments[0] == "lint"
