"""The command lint on templates: rendered with the values that are given, or a finding; never passed unread."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.lint.rendered import in_template
from airflow_provider_influx_rollup.lint.report import lint_text
from tests.scenes.doc_blocks import CHECKOUT

TASK = 'option task = {name: "means", every: 1h}\n\n'
READ = """from(bucket: {{ env.raw | flux }})
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.site == {{ params.site | flux }})
"""
MEANS = (
    TASK + READ + "  |> aggregateWindow(every: 25m, fn: mean)\n  |> to(bucket: {{ env.rollups | flux }})\n"
)
ENVIRONMENTS = "dev: {raw: raw_dev, rollups: hourly_dev}\nprod: {raw: raw, rollups: raw}\n"
DEV = ("--environments", "env.yaml", "--environment", "dev")

Lint = Callable[..., tuple[int, list[tuple[int, int, str]], str]]


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lint:
    """Call the command in a folder, without a server, and return code, findings, and all that it said."""
    monkeypatch.delenv("INFLUX_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.yaml").write_text(ENVIRONMENTS)

    def call(template: str, *arguments: str) -> tuple[int, list[tuple[int, int, str]], str]:
        folder = tmp_path / "dags" / "flux"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "means.flux").write_text(template)
        code = main(["lint", "dags/flux/means.flux", "--json", *arguments])
        out, err = capsys.readouterr()
        files = json.loads(out).get("files", [])
        found = [(one["line"], one["column"], one["name"]) for file in files for one in file["findings"]]
        return code, found, out + err

    return call


def test_the_flux_is_looked_at_when_values_are_given(lint: Lint) -> None:
    code, found, said = lint(MEANS, "--param", "site=berlin", *DEV)
    assert (code, found) == (0, [(6, 6, "window-alignment")])
    assert "template" not in said
    code, found, _ = lint(MEANS, "--param", "site=berlin", *DEV[:3], "prod")
    assert (code, found) == (1, [(6, 6, "window-alignment"), (7, 6, "reads-own-target")])


@pytest.mark.parametrize(
    ("template", "arguments", "place", "reason"),
    [
        (MEANS, DEV, (5, 1), "params.site is undefined"),
        (MEANS, ("--param", "site=a"), (3, 1), "'env' is undefined"),
        ("x = {{ 1 }}", (), (1, 1), "would be pasted into the Flux"),
        ("\n\nx = {{ 1 ", (), (3, 1), "unexpected end of template"),
        ('x = {{ var.value.get("a") | flux }}', (), (1, 1), "'var' is undefined"),
        ('{% include "gone.flux" %}', (), (1, 1), "there is no template 'gone.flux'"),
        ('x = "{{ "a" | flux }}"', (), (1, 1), "inside"),
    ],
)
def test_a_template_that_is_not_rendered_is_an_error(
    lint: Lint, template: str, arguments: tuple[str, ...], place: tuple[int, int], reason: str
) -> None:
    code, found, said = lint(template, *arguments)
    assert (code, found) == (1, [(*place, "not-rendered")])
    assert reason in said


def test_a_comment_with_a_reason_lets_a_template_pass(lint: Lint) -> None:
    silent = "x = {{ var.value.x | flux }} // lint: ignore not-rendered - only Airflow has its value\n"
    code, found, said = lint(silent, "--fail-on", "note")
    assert (code, found) == (0, [])
    assert "the Flux that the template becomes, which is not known" in said


@pytest.mark.parametrize(
    ("file", "arguments", "code", "reason"),
    [
        ("site: {kind: string, default: berlin}", (), 0, ""),
        ('{"site": "berlin"}', (), 0, ""),
        ("site: {kind: string}", ("--param", "site=5"), 0, ""),
        ("site: {kind: int}", ("--param", "site=5"), 0, ""),
        ("site: {kind: int}", ("--param", "site=x"), 2, "the parameter site is 'x', not a whole number"),
        ("site: {kind: int}", (), 2, "the parameter site has no value and no default"),
        ("site: {kind: number}", (), 2, "there is no type 'number' of parameters"),
        ("[site]", (), 2, "values.yaml holds no names with values"),
        ("site: [", (), 2, "values.yaml, line 1"),
        (None, (), 2, "the file 'values.yaml' cannot be read"),
    ],
)
def test_values_come_from_a_file(
    lint: Lint, tmp_path: Path, file: str | None, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    if file is not None:
        (tmp_path / "values.yaml").write_text(file)
    template = READ.replace("env.raw", "'raw'")
    done, _, said = lint(template, "--params-file", "values.yaml", *arguments)
    assert (done, reason in said) == (code, True)


def test_a_typed_value_stays_a_text_though_it_looks_like_a_number(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("site: {kind: string}")
    template = READ.replace("env.raw", "'raw'").replace("r.site", 'r.a == "" or r.site')
    _, found, said = lint(template, "--params-file", "values.yaml", "--param", "site=5")
    assert [name for *_, name in found] == ["unpruned-filter"]
    assert r"(rendered: |> filter(fn: (r) => r.a == \"\" or r.site == \"5\"))" in said


def test_the_times_of_a_run_are_its_window(lint: Lint) -> None:
    window = READ.replace("env.raw", "'raw'").replace("params.site", "'a'")
    templated = window.replace("v.timeRangeStart", "{{ data_interval_start | flux }}").replace(
        "v.timeRangeStop", "{{ data_interval_end | flux_time }}"
    )
    ending = "  |> aggregateWindow(every: 30m, fn: mean)\n  |> to(bucket: 'b')\n".replace("'", '"')
    for every in ("1h", "90m", "1mo"):
        assert (
            lint(TASK + templated + ending, "--every", every)[:2]
            == lint(TASK + window + ending, "--every", every)[:2]
        )
    fixed = (
        TASK + templated.replace("data_interval_start", "macros.datetime(2024, 1, 1).astimezone()") + ending
    )
    assert [name for *_, name in lint(fixed)[1]] == ["fixed-range"]
    of_texts = window.replace("v.timeRangeStart", "{{ ds | flux_time }}").replace(
        "v.timeRangeStop", "{{ data_interval_end | ts | flux_time }}"
    )
    assert lint(TASK + of_texts + ending)[1] == []


def test_includes_are_found_as_in_a_dag(lint: Lint, tmp_path: Path) -> None:
    folder = tmp_path / "dags" / "flux"
    folder.mkdir(parents=True)
    (folder / "c.flux").write_text("{% macro on(x) %}r.site == {{ x | flux }}{% endmacro %}")
    for name in ("./c.flux", "flux/c.flux", "../flux/c.flux"):
        template = f'{{% from "{name}" import on %}}\n' + READ.replace("env.raw", "'raw'").replace(
            "r.site == {{ params.site | flux }}", "{{ on('a') }} and r.b == \"\""
        )
        code, found, _ = lint(template)
        assert (code, found) == (0, [(4, 42, "unpruned-filter")])
    code, found, said = lint((folder / "c.flux").read_text(), "--fail-on", "note")
    assert (code, found) == (0, [])
    assert "the template puts out no Flux" in said


def test_the_example_is_clean_with_its_values(
    lint: Lint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(CHECKOUT / "example_dags" / "flux", tmp_path / "example")
    (tmp_path / "example.yaml").write_text(
        "dev: {raw: raw, rollups: rollups, sites: [berlin, 'a, b'], aggregate: mean}"
    )
    given = ["--environments", "example.yaml", "--environment", "dev", "--param", "least=0.0"]
    assert main(["lint", "example/site_means.flux", "--fail-on", "note", *given]) == 0
    assert main(["lint", "example/site_means.flux"]) == 1
    assert "example/site_means.flux:" in capsys.readouterr().out


def test_bare_words_are_taken_when_asked(lint: Lint) -> None:
    template = READ.replace("{{ env.raw | flux }}", '"{{ env.raw }}"').replace("params.site", "'a'")
    assert lint(template, *DEV)[1] == [(1, 1, "not-rendered")]
    assert lint(template, *DEV, "--bare-words")[1] == []


@pytest.mark.parametrize(
    ("template", "flux", "place"),
    [
        ("a\n{% if x %}\nfrom()\n{% endif %}", "a\n\nfrom()\n", (3, 1)),
        ("{{ one }}\nfrom()", "1\n2\n3\nfrom()", (2, 1)),
        ("x = [{{ x }}, from()]", "x = [12345678, from()]", (1, 15)),
        ("x = [{{ xxxxxxxxx }}, from()]", "x = [1, from()]", (1, 23)),
        ("{% for a in b %}\n{{ a }}\n{% endfor %}", "\nfrom()\n\n1\n\n2\n", (1, 1)),
        ("", "from()", (1, 1)),
    ],
)
def test_the_place_is_that_in_the_template(template: str, flux: str, place: tuple[int, int]) -> None:
    text = flux.replace("from()", 'from(bucket: "a") |> last()')
    written = template.replace("from()", 'from(bucket: "a") |> last()')
    found = in_template(lint_text(text), written, text).findings
    assert [(one.line, one.column) for one in found if one.name == "no-range"] == [place]
