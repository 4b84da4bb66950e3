"""Lint on a real server: each planted fault at its place, nothing in sound scripts, and nothing of a script is run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxUnauthorized
from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
from airflow_provider_influx_rollup.lint.report import LintReport
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.lint_corpus import CorpusScript, Linter, buckets_of, corpus, found_in, linter_on, table
from tests.conftest import InfluxServer
from tests.scenes.doc_blocks import CHECKOUT

pytestmark = pytest.mark.live

SCRIPTS = corpus()
START = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))


@pytest.fixture(scope="module")
def linted(client: InfluxClient) -> InfluxClient:
    """A server with the buckets of the corpus."""
    for bucket in buckets_of(SCRIPTS):
        client.ensure_bucket(bucket)
    return client


def lint(client: InfluxClient, flux: str, window: Interval | None = None, **options: Any) -> LintReport:
    return drive(lint_script(LintSpec(flux=flux, **options), window), client, lambda _report: None)


@pytest.fixture(scope="module")
def linter(linted: InfluxClient) -> Linter:
    return linter_on(linted)


@pytest.mark.recorded
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_findings_are_those_planted_when_a_server_looks(linter: Linter, script: CorpusScript) -> None:
    assert found_in(linter(script.text)) == script.expected


def test_the_page_shows_this_table_when_the_corpus_is_linted(linter: Linter) -> None:
    page = (CHECKOUT / "docs/reference/lint.md").read_text()
    shown = page.partition("## How well it does\n")[2]
    assert table(SCRIPTS, linter) in shown


@pytest.fixture
def source(client: InfluxClient, bucket_factory: Callable[..., str]) -> str:
    """A bucket with 30 points in the window, 20 of them of the site a."""
    bucket = bucket_factory()
    lines = [
        f"air,site={'a' if n % 3 else 'b'},room=é co2={n}i {WINDOW.start_ns + n * 10**9}" for n in range(30)
    ]
    client.write_lines(bucket, lines)
    return bucket


def read(bucket: str, rest: str) -> str:
    return f'from(bucket: "{bucket}")\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n{rest}'


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("rest", "most", "points"),
    [
        ("  |> median()", 29, 30),
        ("  |> median()", 30, None),
        ('  |> filter(fn: (r) => r.site == "a")\n  |> median()', 19, 20),
        ('  |> filter(fn: (r) => r.room == "é" and\n    r.site == "a")\n  |> median()', 0, 20),
        ("  |> mean()", 0, None),
    ],
)
def test_raw_reads_are_counted_when_there_is_a_limit(
    linted: InfluxClient, source: str, rest: str, most: int, points: int | None
) -> None:
    report = lint(linted, read(source, rest), WINDOW, max_points=most)
    messages = [one.message for one in report.findings if one.name == "too-many-points"]
    expected = (
        [] if points is None else [f"a raw read of {points} points in {WINDOW}, where {most} are allowed"]
    )
    assert (messages, report.unchecked) == (expected, ())


@pytest.mark.recorded
def test_points_are_not_counted_when_a_filter_is_not_plain(linted: InfluxClient, source: str) -> None:
    flux = "limit = 3\n" + read(source, "  |> filter(fn: (r) => r._value > limit)\n  |> median()")
    report = lint(linted, flux, WINDOW, max_points=1)
    assert report.unchecked == ("points: the bucket or a filter of a raw read is not plain",)


@pytest.mark.recorded
@pytest.mark.parametrize(
    "flux",
    [
        'import "array"\narray.from(rows: [{_measurement: "m", _field: "f", _time: now(), _value: 1}]) |> to(bucket: "TARGET")',
        'from(bucket: "SOURCE") |> range(start: 0) |> to(bucket: "TARGET")',
        'from(bucket: "SOURCE") |> range(start: v.timeRangeStart) |> to(bucket: "TARGET")',
        'from(bucket: "SOURCE") |> range(start: -100y) |> map(fn: (r) => ({r with x: 1})) |> to(bucket: "TARGET")',
        # a last line that would go on with the line that lint adds
        'from(bucket: "SOURCE") |> range(start: 0) |> to(bucket: "TARGET") // the end',
    ],
)
def test_nothing_is_written_when_a_script_is_linted(
    linted: InfluxClient, source: str, bucket_factory: Callable[..., str], flux: str
) -> None:
    target = bucket_factory()
    lint(linted, flux.replace("SOURCE", source).replace("TARGET", target))
    everything = f'from(bucket: "{target}") |> range(start: 1700-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)'
    assert linted.query_rows(everything) == []


@pytest.mark.recorded
def test_parameters_are_looked_at_when_their_values_are_given(linted: InfluxClient, source: str) -> None:
    flux = read(source, "  |> filter(fn: (r) => r.site == params.site)\n  |> mean()")
    assert lint(linted, flux, params={"site": "a"}).findings == ()
    wrong = lint(linted, flux, params={"sight": "a"})
    assert [one.name for one in wrong.findings] == ["semantics"]
    unknown = lint(linted, flux)
    assert unknown.findings == ()
    assert unknown.unchecked == (
        "names, types and plan: the script reads params, whose values were not given",
    )


@pytest.mark.recorded
def test_windows_are_compared_with_every_when_the_script_has_no_task(
    linted: InfluxClient, source: str
) -> None:
    flux = read(source, "  |> aggregateWindow(every: 1h, fn: mean)")
    assert lint(linted, flux).findings == ()
    assert lint(linted, flux, every="1d").findings == ()
    assert [one.name for one in lint(linted, flux, every="30m").findings] == ["window-alignment"]


@pytest.mark.recorded
def test_braces_in_a_text_are_flux_when_a_server_looks(linted: InfluxClient) -> None:
    report = lint(linted, 'from(bucket: "{{ params.bucket }}") |> range(start: -1h)')
    assert [one.message for one in report.findings] == ["the token sees no bucket '{{ params.bucket }}'"]


def test_a_template_is_looked_at_as_what_it_becomes(
    linted: InfluxClient,
    influx: InfluxServer,
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = tmp_path / "co2.flux"
    script.write_text(
        "from(bucket: {{ params.bucket | flux }})\n"
        "  |> range(start: {{ data_interval_start | flux }}, stop: {{ data_interval_end | flux }})\n"
        '  |> filter(fn: (r) => r._measurement == "air" and r.site == {{ params.site | flux }})\n'
        "  |> median()\n"
    )
    address = ["--url", influx.url, "--org", influx.org]
    day = ["--from", "2024-03-01", "--to", "2024-03-02"]
    given = ["--param", "site=a", *address, "--max-points", "19", *day]
    code = main(["lint", str(script), "--param", f"bucket={source}", *given])
    out, err = capsys.readouterr()
    assert (code, [line.split(": ")[1] for line in out.splitlines()[::2]]) == (
        1,
        ["error too-many-points", "warning raw-read"],
    )
    assert "a raw read of 20 points" in out
    assert "without a server" not in err
    assert main(["lint", str(script), "--param", "bucket=nowhere", *given]) == 1
    assert (
        f"{script}:1:14: error missing-bucket: the token sees no bucket 'nowhere'" in capsys.readouterr().out
    )


@pytest.mark.recorded
def test_the_task_fails_when_the_token_is_wrong(influx: InfluxServer) -> None:
    from airflow_provider_influx_rollup.client.settings import ClientSettings

    settings = ClientSettings(url=influx.url, org=influx.org, token=lambda _refresh: "wrong")
    with InfluxClient(settings) as client, pytest.raises(InfluxUnauthorized):
        lint(client, 'from(bucket: "a") |> range(start: -1h)')


@pytest.mark.parametrize("most", [-1, 1.5, True, "3"])
def test_a_limit_is_refused_when_it_is_no_number(most: object) -> None:
    with pytest.raises(ConfigurationError, match="max_points="):
        LintSpec(flux="x", max_points=most)  # type: ignore[arg-type]
