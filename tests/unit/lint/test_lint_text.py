"""What lint finds in the text alone, without a server."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.lint.finding import Severity
from airflow_provider_influx_rollup.lint.report import LintReport, lint_text
from airflow_provider_influx_rollup.lint.rules import NEVER_SILENT, RULES
from airflow_provider_influx_rollup.windows.duration import Duration
from dev.lint_corpus import CorpusScript, corpus, found_in
from tests.scenes.doc_blocks import CHECKOUT

READ = 'from(bucket: "a")\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n'
MEDIAN = f"{READ}  |> filter(fn: (r) => not (r.a == r.b))"
NO_SERVER = "without a server, nothing can be said of semantics, missing-bucket, raw-read, too-many-points"


@pytest.mark.parametrize("script", corpus(), ids=str)
def test_faults_of_the_text_are_found_when_there_is_no_server(script: CorpusScript) -> None:
    report = lint_text(script.text)
    assert found_in(report) == script.seen_in_text
    assert NO_SERVER in report.unchecked


def test_the_corpus_has_what_the_page_says_when_it_is_read() -> None:
    scripts = corpus()
    kinds = [one.kind for one in scripts]
    assert kinds.count("sound") >= 50
    assert kinds.count("articles") == 5
    planted = {name for one in scripts for *_, name in one.expected}
    assert planted == {rule.name for rule in RULES} - {
        "too-many-points",
        "not-rendered",
        "not-read",
        "too-deep",
    }


def test_every_rule_has_its_section_when_the_page_lists_them() -> None:
    page = (CHECKOUT / "docs/reference/lint.md").read_text()
    for rule in RULES:
        assert page.count(f"\n## {rule.name}\n") == 1


def names(report: LintReport) -> list[tuple[str, int, int]]:
    return [(one.name, one.line, one.column) for one in report.findings]


@pytest.mark.parametrize(
    ("comment", "silenced"),
    [
        ("// lint: ignore unpruned-filter - why not", "why not"),
        ("//lint: ignore unpruned-filter -- why not", "why not"),
        ("// lint: ignore raw-read, unpruned-filter - why not", "why not"),
        ("// lint: ignore unpruned-filter", None),
        ("// lint: ignore unpruned-filter -", None),
        ("// lint: ignore raw-read - why not", None),
        ("// lint: ignored unpruned-filter - why not", None),
        ("// lint ignore unpruned-filter - why not", None),
    ],
)
@pytest.mark.parametrize("place", ["after", "above", "far above"])
def test_a_finding_is_silent_when_a_comment_with_a_reason_names_it(
    comment: str, silenced: str | None, place: str
) -> None:
    head, tail = READ, "  |> filter(fn: (r) => not (r.a == r.b))"
    text = {
        "after": f"{head}{tail} {comment}",
        "above": f"{head}  {comment}\n{tail}",
        "far above": f"{head}{comment}\n\n// and this\n{tail}",
    }[place]
    report = lint_text(text)
    found = [name for name, *_ in names(report)]
    assert [one.reason for one in report.silenced] == ([] if silenced is None else [silenced])
    assert ("unpruned-filter" in found) == (silenced is None)


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("// lint: ignore", "the comment names no rule"),
        ("// lint: ignore - because", "the comment names no rule"),
        ("// lint: ignore late-filter", "the comment gives no reason to ignore late-filter"),
        ("// lint: ignore no-rule - because", "there is no rule no-rule"),
        ("// lint: ignore syntax - because", "syntax cannot be silenced"),
        ("// lint: ignore bad-ignore - because", "bad-ignore cannot be silenced"),
    ],
)
def test_a_comment_is_a_finding_when_it_cannot_silence(comment: str, message: str) -> None:
    report = lint_text(f"{READ}  {comment}\n  |> mean()")
    assert [(one.name, one.line, one.column, one.message) for one in report.findings] == [
        ("bad-ignore", 3, 3, message)
    ]


def test_what_cannot_be_silenced_is_an_error_or_a_comment() -> None:
    assert {"syntax", "semantics", "too-deep", "bad-ignore"} == NEVER_SILENT


@pytest.mark.parametrize(
    ("text", "every", "found"),
    [
        # the length of the range is known by every, by the literal, or not at all
        (f"{READ}|> aggregateWindow(every: 1h, fn: mean)", None, []),
        (f"{READ}|> aggregateWindow(every: 1h, fn: mean)", "2h", []),
        (f"{READ}|> aggregateWindow(every: 1h, fn: mean)", "90m", ["window-alignment"]),
        (f"{READ}|> aggregateWindow(every: 1h, fn: mean)", "1mo", []),
        (f"{READ}|> aggregateWindow(every: 7h, fn: mean)", "1mo", ["window-alignment"]),
        (f"{READ}|> aggregateWindow(every: 1mo, fn: mean)", "1y", []),
        (f"{READ}|> aggregateWindow(every: 1mo2d, fn: mean)", "1y", []),
        (f"{READ}|> aggregateWindow(every: v.windowPeriod, fn: mean)", "1h", []),
        (f'{READ}|> aggregateWindow(every: 1d, fn: mean, location: "x")', "1h", []),
        ('from(bucket: "a") |> range(start: -90m) |> aggregateWindow(every: 30m, fn: mean)', None, []),
        (
            'from(bucket: "a") |> range(start: -90m) |> aggregateWindow(every: 1h, fn: mean)',
            None,
            ["window-alignment"],
        ),
        (
            'from(bucket: "a") |> range(start: -1h, stop: -5m) |> aggregateWindow(every: 9m, fn: mean)',
            None,
            [],
        ),
        # a day's offset in a week is where weeks begin
        (f"{READ}|> aggregateWindow(every: 1w, offset: 4d, fn: mean)", "1w", []),
        (f"{READ}|> aggregateWindow(every: 1h, offset: 2h, fn: mean)", "1d", []),
    ],
)
def test_windows_are_judged_when_the_length_of_the_range_is_known(
    text: str, every: str | None, found: list[str]
) -> None:
    report = lint_text(text, every=None if every is None else Duration.parse(every))
    assert [one.name for one in report.findings] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # only scripts that run for windows have a window to miss
        ('from(bucket: "a") |> range(start: -1h) |> mean()', []),
        ('from(bucket: "a") |> range(start: 2024-01-01, stop: 2024-02-01) |> mean()', []),
        ('option task = {name: "a", every: 1h}\nfrom(bucket: "a") |> range(start: -60m) |> mean()', []),
        (
            'option task = {name: "a", every: 1h}\nfrom(bucket: "a") |> range(start: -61m) |> mean()',
            ["wall-clock-range"],
        ),
        ('from(bucket: "a") |> range(start: start) |> to(bucket: "b")', []),
        ('from(bucket: "a") |> range(start: system.time()) |> to(bucket: "b")', ["wall-clock-range"]),
        ('from(bucket: "a") |> range(start: today()) |> to(bucket: "b")', ["wall-clock-range"]),
        ('from(bucket: "a") |> range(start: today(), stop: v.timeRangeStart) |> to(bucket: "b")', []),
        ('from(bucket: "a") |> range(start: 0) |> count()', ["unbounded-range"]),
        ('from(bucket: "a") |> range(start: time(v: 0)) |> count()', ["unbounded-range"]),
        ('from(bucket: "a") |> range(start: 1970-01-01T00:00:00Z) |> count()', ["unbounded-range"]),
        ('from(bucket: "a") |> range(start: -100y) |> count()', ["unbounded-range"]),
        ('from(bucket: "a") |> range(start: -1y) |> count()', []),
        ('from(bucket: "a") |> range(start: 0) |> last()', []),
        # what may bound a read is not said to be missing
        ('from(bucket: "a") |> bounded()', []),
        ('read = () => from(bucket: "a")\nread() |> range(start: -1h)', []),
        ('read = () => from(bucket: "a")\nread() |> last()', ["no-range"]),
        ('a = from(bucket: "a")\nb = a\nb |> range(start: -1h)', []),
        ('cut = (tables) => tables |> range(start: -1h)\na = from(bucket: "a")\ncut(tables: a)', []),
        ('option task = {every: "1h"}', ["semantics"]),
    ],
)
def test_ranges_are_judged_only_where_they_are_plain(text: str, found: list[str]) -> None:
    assert [one.name for one in lint_text(text).findings] == found


def test_a_read_without_range_is_where_it_is_called_when_another_call_has_one() -> None:
    text = 'read = () => from(bucket: "a")\nread() |> range(start: -1h) |> last()\nread() |> last()'
    assert names(lint_text(text)) == [("no-range", 3, 1)]


@pytest.mark.parametrize(
    ("cron", "start", "found"),
    [
        ("0 * * * *", "-1h", []),
        ("5 * * * *", "-1h", ["wall-clock-range"]),
        ("0 * * * *", "-2h", ["wall-clock-range"]),
        ("@monthly", "-1mo", []),
        ("*/10 * * * *", "-10m", ["window-alignment"]),
        ("no cron", "-1h", ["wall-clock-range"]),
    ],
)
def test_a_cron_whose_times_end_whole_hours_is_an_every(cron: str, start: str, found: list[str]) -> None:
    text = (
        f'option task = {{name: "a", cron: "{cron}"}}\n'
        f'from(bucket: "a") |> range(start: {start}) |> filter(fn: (r) => r._measurement == "m")\n'
        '|> aggregateWindow(every: 1h, fn: mean) |> to(bucket: "b")'
    )
    assert [one.name for one in lint_text(text).findings] == found


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("filter(fn: (r) => r._measurement == \"n\") |> aggregateWindow(every: 1h, fn: mean)", []),
        ("filter(fn: (r) => r._measurement == \"m\") |> aggregateWindow(every: 1h, fn: mean)", ["reads-own-target"]),
        ("filter(fn: (r) => r._measurement =~ /n/) |> aggregateWindow(every: 1h, fn: mean)", ["reads-own-target"]),
        ("filter(fn: (r) => r._measurement == \"n\") |> map(fn: (r) => ({r with _measurement: \"m\"}))", ["reads-own-target"]),
        ("map(fn: (r) => ({r with _measurement: \"n\"}))", []),
        ("map(fn: (r) => ({r with \"_measurement\": \"n\" + \"2\", x: 1})) |> limit(n: 1)", []),
        ("map(fn: (r) => { return {r with _measurement: \"n\"} })", []),
        ("map(fn: (r) => ({r with _measurement: r.kind}))", ["reads-own-target"]),
        ("map(fn: (r) => ({r with x: \"n\"}))", ["reads-own-target"]),
        ("set(key: \"_measurement\", value: \"n\") |> map(fn: (r) => ({r with x: 1}))", []),
        ("set(key: \"_measurement\", value: \"n\") |> map(fn: (r) => ({r with _measurement: \"m\"}))", ["reads-own-target"]),
        ("set(key: \"_measurement\", value: \"n\") |> map(fn: (r) => ({r with _measurement: r.kind}))", ["reads-own-target"]),
    ],
)  # fmt: skip
def test_a_write_is_of_the_measurement_that_its_pipeline_reads(written: str, found: list[str]) -> None:
    start = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
    text = (
        f'from(bucket: "a") |> {start} |> filter(fn: (r) => r._measurement == "m") |> mean() |> yield()\n'
        f'from(bucket: "b") |> {start} |> {written} |> to(bucket: "a")'
    )
    assert [one.name for one in lint_text(text).findings] == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("builtin x : int", "builtin is not read here"),
        ("x = [1 2]", "an array without a comma is not read here"),
        ("f = (a b) => a", "a list of parameters without a comma is not read here"),
        ("(" * 200 + "1" + ")" * 200, "nested so deeply is not read here"),
    ],
)
def test_a_text_that_cannot_be_read_here_is_no_right_one(text: str, reason: str) -> None:
    (finding,) = lint_text(text).findings
    assert (finding.name, reason in finding.message) == ("not-read", True)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('x = "a', 1, 5),
        ('é = "東京"', 1, 1),
        ('x = "東京" +', 1, 10),
        ("x = [1, 2,\ny, ", 1, 5),
        ('from(bucket: "a") |> 3', 1, 22),
        ('x = "\\q"', 1, 5),
        ('x = "${a"', 1, 9),
        ("import 3", 1, 8),
        ('import "${a}"', 1, 8),
        ("x = {a, b: 1}", 1, 13),
        ("f = (tables=<-, n=3) -> tables", 1, 22),
    ],
)
def test_the_place_is_that_of_the_token_when_a_text_is_no_flux(text: str, line: int, column: int) -> None:
    assert names(lint_text(text)) == [("syntax", line, column)]


@pytest.mark.parametrize(
    ("fail_on", "fails"),
    [(None, False), (Severity.ERROR, False), (Severity.WARNING, True), (Severity.NOTE, True)],
)
def test_a_report_fails_when_a_finding_is_bad_enough(fail_on: Severity | None, fails: bool) -> None:
    assert lint_text(MEDIAN).fails(fail_on) is fails


def test_a_duration_is_a_finding_when_it_is_longer_than_the_database_counts() -> None:
    text = 'from(bucket: "a")\n  |> range(start: -4166666666666666666d15h)\n  |> to(bucket: "b")\n'
    assert ("semantics", 2, 20) in names(lint_text(text))


@pytest.mark.parametrize("signs", ["-", "not ", "1 + "])
def test_a_script_is_not_read_when_it_is_deeper_than_a_server_can_bear(signs: str) -> None:
    text = f'from(bucket: "a")\n  |> map(fn: (r) => ({{r with x: {signs * 5_000}1}}))\n'
    assert [name for name, *_ in names(lint_text(text))] == ["too-deep"]
