"""``influx-rollup tasks`` on a real InfluxDB: what is printed, and the exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.steps.tasks import UpdateTask
from airflow_provider_influx_rollup.windows.interval import format_instant
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.scenes.native_scene import HOUR, POLL_SECONDS, START, named_task, run_to_its_end, script

pytestmark = pytest.mark.live

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def name(client: InfluxClient) -> Iterator[str]:
    with named_task(client) as found:
        yield found


@pytest.fixture
def file(name: str, tmp_path: Path, bucket_factory: Callable[[], str]) -> Path:
    path = tmp_path / "hourly.flux"
    path.write_text(script(name, bucket_factory(), bucket_factory()))
    return path


@pytest.fixture
def ask(influx: InfluxServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    for variable, value in (("URL", influx.url), ("ORG", influx.org), ("TOKEN", influx.token)):
        monkeypatch.setenv(f"INFLUX_{variable}", value)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["tasks", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_task_is_compared_deployed_and_listed(
    client: InfluxClient, name: str, file: Path, ask: Ask
) -> None:
    code, told = ask("diff", str(file))
    assert (code, told["tasks"][0]["action"]) == (1, "created")
    assert "+option task" in told["tasks"][0]["diff"]
    assert client.tasks.find(name) == []
    assert ask("deploy", str(file), "--task-pipeline", "p")[0] == 0
    assert ask("diff", str(file), "--task-pipeline", "p")[0] == 0
    code, told = ask("list", name)
    assert code == 0
    (one,) = told["tasks"]
    assert {key: one[key] for key in ("task", "status", "every", "pipeline", "is_drifted")} == {
        "task": name, "status": "active", "every": "1h", "pipeline": "p", "is_drifted": False,
    }  # fmt: skip
    (task,) = client.tasks.find(name)
    client.tasks.update(UpdateTask(task.id, task.flux.replace("mean", "max"), "active", task.description))
    assert ask("list", name)[1]["tasks"][0]["is_drifted"]
    code, told = ask("deploy", str(file))
    assert (code, told["error"]["name"]) == (1, "TaskDrifted")
    assert "(influx-rollup tasks diff shows it), or give --overwrite to" in told["error"]["message"]
    assert ask("deploy", str(file), "--overwrite")[0] == 0
    assert client.tasks.find(name)[0].flux == task.flux


def test_history_tells_runs_reasons_and_missed_windows(
    client: InfluxClient, name: str, file: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("deploy", str(file))
    (task,) = client.tasks.find(name)
    span = ("--from", START.isoformat(), "--to", (START + 3 * HOUR).isoformat())
    code, told = ask("history", name, *span)
    # the task was made long after these windows
    assert (code, told["tasks"][0]["runs"], told["tasks"][0]["missed"]) == (0, [], [])
    run = run_to_its_end(client, task.id, START + 2 * HOUR)
    # a run that has just ended goes from the list of those under way to the bucket _tasks
    deadline = time.monotonic() + 60
    while True:
        code, told = ask("history", name, *span)
        if (history := told["tasks"][0])["runs"]:
            break
        assert time.monotonic() < deadline, told
        time.sleep(POLL_SECONDS)
    assert (code, history["missed"]) == (0, [])
    assert [(one["run_id"], one["status"]) for one in history["runs"]] == [(run.id, "success")]
    assert history["runs"][0]["seconds"] >= 0
    capsys.readouterr()
    main(["tasks", "history", name, *span])
    assert f"{format_instant(START + 2 * HOUR)}  success" in capsys.readouterr().out


def test_windows_since_the_task_was_made_are_missed(
    client: InfluxClient,
    name: str,
    ask: Ask,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = client.tasks.create(f'option task = {{name: "{name}", every: 1s}}\n\nbuckets()\n', "inactive", "")
    assert task.created_at is not None
    deadline = time.monotonic() + 60
    while True:
        code, told = ask("history", name, "--last", "1m")
        missed = [window["stop"] for window in told["tasks"][0]["missed"]]
        if len(missed) > 1:
            break
        assert time.monotonic() < deadline, told
        time.sleep(POLL_SECONDS)
    assert code == 1
    assert min(missed) >= task.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert main(["tasks", "history", name, "--last", "1m"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "window without a success" in said
    assert "when the task was made, are not counted" in said


def test_a_token_without_rights_for_tasks_is_told(
    influx: InfluxServer,
    client: InfluxClient,
    name: str,
    file: Path,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = InfluxAddress(influx.url, influx.org, influx.token)
    monkeypatch.setenv(
        "INFLUX_TOKEN", address.new_token([("read", "buckets"), ("write", "buckets"), ("read", "tasks")])
    )
    code, told = ask("deploy", str(file))
    assert (code, told["error"]["name"]) == (2, "InfluxForbidden")
    assert "give the token the missing permission" in told["error"]["message"]
    assert client.tasks.find(name) == []
    monkeypatch.setenv("INFLUX_TOKEN", address.new_token([("read", "buckets")]))
    assert main(["tasks", "list"]) == 0
    assert "no tasks that the token may read" in capsys.readouterr().out
    monkeypatch.setenv("INFLUX_TOKEN", "wrong")
    code, told = ask("list")
    assert (code, told["error"]["name"]) == (2, "InfluxUnauthorized")
    assert "INFLUX_TOKEN" in told["error"]["message"]


def test_a_name_is_enough_to_delete_a_task(client: InfluxClient, name: str, file: Path, ask: Ask) -> None:
    ask("deploy", "--task-pipeline", "p", str(file))
    code, told = ask("diff", name, "--state", "absent")
    assert (code, told["tasks"][0]["action"]) == (1, "deleted")
    assert len(client.tasks.find(name)) == 1
    assert ask("deploy", "--state", "absent", name)[0] == 0
    assert client.tasks.find(name) == []
    code, told = ask("deploy", "--state", "absent", name)
    assert (code, told["tasks"][0]["action"]) == (0, "unchanged")


def test_tables_are_printed_for_people(
    name: str, file: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("deploy", str(file))
    assert main(["tasks", "list", name]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    # no DAG has deployed it
    assert line.split()[-1] == "influx-rollup"
    assert main(["tasks", "history", name, "--from", "2025-03-29", "--to", "2025-03-30"]) == 0
    assert "no runs" in capsys.readouterr().out
    assert main(["tasks", "diff", str(file).replace("hourly", "missing")]) == 2
    assert main(["tasks", "diff"]) == 2


def test_no_script_is_deployed_when_one_of_several_is_wrong(
    client: InfluxClient, name: str, file: Path, ask: Ask
) -> None:
    wrong = file.with_name("wrong.flux")
    wrong.write_text('option task = {name: "wrong", every: 1h}\nfrom(bucket: "x"')
    code, told = ask("deploy", str(file), str(wrong))
    assert (code, told["error"]["name"]) == (1, "ScriptInvalid")
    assert told["error"]["message"].startswith(f"{wrong}: ")
    assert client.tasks.find(name) == []


def test_values_are_given_on_the_command_line(client: InfluxClient, name: str, file: Path, ask: Ask) -> None:
    file.write_text(file.read_text().replace('== "m"', "== params.m"))
    assert ask("deploy", "--param", "m=x y", str(file))[0] == 0
    assert 'option params = {"m": "x y"}' in client.tasks.find(name)[0].flux
    assert ask("diff", str(file), "--param", "m=x y")[0] == 0
    assert ask("diff", str(file), "--param", "m=z")[0] == 1
    assert ask("diff", str(file), "--param", "m")[0] == 2


@pytest.fixture
def template(name: str, tmp_path: Path, bucket_factory: Callable[[], str], ask: Ask) -> Path:
    """A script whose buckets are those of an environment, with a condition that another file has."""
    folder = tmp_path / "flux"
    folder.mkdir()
    (folder / "conditions.flux").write_text(
        "{% macro any_of(column, values) -%}\n"
        "{% for value in values %}r[{{ column | flux }}] == {{ value | flux }}"
        "{% if not loop.last %} or {% endif %}{% endfor %}\n{%- endmacro %}\n"
    )
    text = script(name, "SOURCE", "TARGET").replace('"SOURCE"', "{{ env.raw | flux }}")
    text = text.replace('"TARGET"', "{{ env.rollups | flux }}").replace(
        'r._measurement == "m"', 'r._measurement == "m" and ({{ any_of("site", params.sites) }})'
    )
    (folder / "means.flux").write_text('{% from "./conditions.flux" import any_of %}\n' + text)
    raw, rollups, other = bucket_factory(), bucket_factory(), bucket_factory()
    (tmp_path / "environments.yaml").write_text(
        f"environments:\n  dev: {{raw: {raw}, rollups: {rollups}}}\n  prod: {{raw: {raw}, rollups: {other}}}\n"
    )
    return folder / "means.flux"


HOSTILE = 'b", c == "${d} \\'
SITES = ("--param", f"sites={json.dumps(['a', HOSTILE])}")


def environment(template: Path, name: str) -> tuple[str, ...]:
    return ("--environments", str(template.parent.parent / "environments.yaml"), "--environment", name)


def written_bucket(flux: str) -> str:
    return flux.rpartition('to(bucket: "')[2].partition('"')[0]


def test_a_template_is_deployed_with_the_values_of_an_environment(
    client: InfluxClient, name: str, template: Path, ask: Ask
) -> None:
    buckets = yaml.safe_load((template.parent.parent / "environments.yaml").read_text())["environments"]
    dev = (str(template), *environment(template, "dev"), *SITES)
    code, told = ask("diff", *dev)
    assert (code, told["tasks"][0]["action"]) == (1, "created")
    assert client.tasks.find(name) == []
    assert ask("deploy", *dev)[0] == 0
    (task,) = client.tasks.find(name)
    assert written_bucket(task.flux) == buckets["dev"]["rollups"]
    assert 'r["site"] == "a" or r["site"] == "b\\", c == \\"\\x24{d} \\\\"' in task.flux
    # the template alone has read the sites
    assert "option params" not in task.flux
    assert ask("diff", *dev)[0] == 0
    assert ask("deploy", *dev)[1]["tasks"][0]["action"] == "unchanged"
    prod = (str(template), *environment(template, "prod"), *SITES)
    code, told = ask("diff", *prod)
    assert (code, told["tasks"][0]["action"]) == (1, "updated")
    assert ask("deploy", *prod)[0] == 0
    (updated,) = client.tasks.find(name)
    assert (updated.id, written_bucket(updated.flux)) == (task.id, buckets["prod"]["rollups"])
    # the name of a task that is to go is the template's too
    assert ask("deploy", *prod, "--state", "absent")[0] == 0
    assert client.tasks.find(name) == []


def test_a_task_of_a_template_runs_and_computes(
    client: InfluxClient, name: str, template: Path, ask: Ask
) -> None:
    buckets = yaml.safe_load((template.parent.parent / "environments.yaml").read_text())["environments"][
        "dev"
    ]
    at = int(START.timestamp())
    points = [(site, second, float(second % 7)) for site in ("a", "c") for second in range(0, 3600, 60)]
    client.write_lines(
        buckets["raw"], [f"m,site={site} x={value} {(at + second) * 10**9}" for site, second, value in points]
    )
    assert ask("deploy", str(template), *environment(template, "dev"), *SITES)[0] == 0
    (task,) = client.tasks.find(name)
    run = run_to_its_end(client, task.id, START + HOUR + timedelta(minutes=5))
    assert run.status == "success"
    flux = f'from(bucket: "{buckets["rollups"]}") |> range(start: 2025-01-01T00:00:00Z) |> group()'
    found = sorted((row["site"], row["_time"], row["_value"]) for row in client.query(flux))
    expected = []
    for ten in range(6):
        values = [value for site, second, value in points if site == "a" and second // 600 == ten]
        expected.append(
            ("a", START + timedelta(minutes=10 * (ten + 1)), pytest.approx(sum(values) / len(values)))
        )
    assert found == expected


@pytest.mark.parametrize(
    ("before", "after", "line", "reason", "fix"),
    [
        ("{{ env.raw | flux }}", "{{ env.raw }}", 4, "would be pasted", "write {{ env.raw | flux }}"),
        ("{{ env.raw | flux }}", '"{{ env.raw | flux }}"', 4, "inside", ""),
        (
            "{{ env.raw | flux }}",
            "{{ env.row | flux }}",
            4,
            "env.row is undefined",
            "--params-file and --environments",
        ),
        ("{{ env.raw | flux }}", "{{ var.value.raw | flux }}", 4, "'var' is undefined", ""),
        ("v.timeRangeStart", "{{ data_interval_start | flux }}", 5, "data_interval_start is undefined", ""),
        ("./conditions.flux", "./gone.flux", 1, "there is no template", "folder above the script"),
        ("{{ env.rollups | flux }}", "{{ env.rollups | flux ", 8, "unexpected", ""),
    ],
)
def test_a_template_that_cannot_be_rendered_is_refused_with_file_and_line(
    client: InfluxClient,
    name: str,
    template: Path,
    file: Path,
    ask: Ask,
    *,
    before: str,
    after: str,
    line: int,
    reason: str,
    fix: str,
) -> None:
    """``file`` is right, and is not deployed either."""
    written = template.read_text()
    assert before in written
    template.write_text(written.replace(before, after))
    for action in ("diff", "deploy"):
        code, told = ask(action, str(file), str(template), *environment(template, "dev"), *SITES)
        assert (code, told["error"]["name"]) == (2, "TemplateInvalid")
        assert told["error"]["message"].startswith(f"{template}, line {line}: ")
        assert reason in told["error"]["message"]
        assert fix in told["error"]["message"]
    assert client.tasks.find(name) == []


def test_a_mistake_in_an_included_template_names_that_file(
    client: InfluxClient, name: str, template: Path, ask: Ask
) -> None:
    included = template.with_name("conditions.flux")
    included.write_text(included.read_text().replace("{{ value | flux }}", "{{ value }}"))
    code, told = ask("deploy", str(template), *environment(template, "dev"), *SITES)
    assert (code, told["error"]["name"]) == (2, "TemplateInvalid")
    assert "conditions.flux, line 2: {{ value }} would be pasted" in told["error"]["message"]
    assert client.tasks.find(name) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "there are environments, and none is chosen"),
        (("--environment", "stage"), "there is no environment 'stage'"),
    ],
)
def test_an_environment_must_be_one_of_those(
    name: str, template: Path, ask: Ask, options: tuple[str, ...], reason: str
) -> None:
    given = environment(template, "dev")[:2]
    code, told = ask("diff", str(template), *given, *options, *SITES)
    assert (code, told["error"]["name"]) == (2, "ConfigurationError")
    assert reason in told["error"]["message"]
    assert "dev, prod" in told["error"]["message"]
    code, told = ask("diff", str(template), "--environment", "dev", *SITES)
    assert (code, "give --environments" in told["error"]["message"]) == (2, True)


def test_a_file_that_only_others_import_is_left_out(
    client: InfluxClient, name: str, template: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    included = template.with_name("conditions.flux")
    options = (*environment(template, "dev"), *SITES)
    code, told = ask("deploy", str(included), str(template), *options)
    assert (code, [one["file"] for one in told["tasks"]]) == (0, [str(template)])
    assert main(["tasks", "diff", str(included), str(template), *options]) == 0
    assert f"{included} is left out" in capsys.readouterr().err
    code, told = ask("deploy", str(included), *options)
    assert (code, "puts out Flux" in told["error"]["message"]) == (2, True)


def test_single_words_are_taken_when_asked(client: InfluxClient, name: str, template: Path, ask: Ask) -> None:
    template.write_text(template.read_text().replace("{{ env.raw | flux }}", '"{{ env.raw }}"'))
    options = (str(template), *environment(template, "dev"), *SITES)
    assert ask("deploy", *options)[0] == 2
    assert ask("deploy", *options, "--bare-words")[0] == 0
    assert len(client.tasks.find(name)) == 1


def test_a_value_that_flux_and_template_read_is_given_to_both(
    client: InfluxClient, name: str, template: Path, ask: Ask
) -> None:
    text = template.read_text().replace("and (", "and r.least != params.sites[0] and (")
    template.write_text(text)
    assert ask("deploy", str(template), *environment(template, "dev"), *SITES, "--param", "more=1")[0] == 0
    (task,) = client.tasks.find(name)
    (line,) = [one for one in task.flux.splitlines() if one.startswith("option params = ")]
    assert line.startswith('option params = {"sites": ["a", ')
    assert line.endswith('"more": 1}')


def test_a_line_break_at_the_end_of_a_script_is_no_change(
    client: InfluxClient, name: str, tmp_path: Path, ask: Ask
) -> None:
    text = f'option task = {{name: "{name}", every: 1h}}\n\nbuckets()'
    client.tasks.create(text, "active", "")
    (tmp_path / "buckets.flux").write_text(f"{text}\n\n")
    code, told = ask("deploy", str(tmp_path / "buckets.flux"))
    assert (code, told["tasks"][0]["action"], told["tasks"][0]["diff"]) == (0, "adopted", "")
