"""Purges that began to delete and did not say that they ended: who is told, and what a person can do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable, PartialWrite
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import FOLDER, RUN, WINDOW
from tests.scenes.purge_scene import DAY, PURGED_AT, PurgeScene, Stepper, as_facts, inside, make_purge_scene
from tests.scenes.rename_scene import rename_bucket

pytestmark = pytest.mark.live

FILE = f"{FOLDER}/deletes/00000001"
#: what says whose delete it is
BEGUN = {
    "window": WINDOW.as_json(),
    "file": FILE,
    "begun_at": format_instant(PURGED_AT),
    "dag_id": RUN.dag_id,
    "task_id": RUN.task_id,
    "run_id": RUN.run_id,
    "try_number": RUN.try_number,
    "map_index": RUN.map_index,
}
LATER = PURGED_AT + timedelta(hours=1)

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_purge_scene(influx, client, tmp_path)


@pytest.fixture
def ask(scene: PurgeScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command about begun deletes, as JSON."""
    server = scene.server
    for name, value in (("URL", server.url), ("ORG", server.org), ("TOKEN", server.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)
    place = (str(scene.base), "--bucket", scene.bucket, "--measurement", scene.measurement)
    common = (*place, "--ledger-bucket", scene.ledger, "--json")

    def answer(*options: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["archive", *common, *options])
        values: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, values

    return answer


def stopped_before_delete(scene: PurgeScene) -> Stepper:
    """A purge that hangs right before its delete."""
    stepper = Stepper(scene, scene.purge_steps())
    while not isinstance(stepper.pending, Delete):
        assert stepper.advance()
    return stepper


def require_gives_up(stepper: Stepper) -> None:
    """The next step is not answered, and the run ends with that error."""

    def go_on() -> None:
        stepper.fail(InfluxUnavailable("no answer"))
        stepper.finish()

    with pytest.raises(InfluxUnavailable, match="no answer"):
        go_on()


def bring_back(scene: PurgeScene) -> None:
    steps = restore(scene.restore_spec(), WINDOW, RUN, lambda: LATER)
    drive(steps, scene.client, scene.tell, actions_with(scene.store))


def delete_one_on_purpose(scene: PurgeScene) -> set[Any]:
    """The points that are left."""
    scene.delete(Interval(WINDOW.start, WINDOW.start + MICROSECOND))
    left = as_facts(inside()[1:3])
    assert {fact for fact in scene.facts() if WINDOW.start_ns <= fact[0] < WINDOW.stop_ns} == left
    return left


def test_archive_says_whose_delete_has_not_ended(scene: PurgeScene) -> None:
    assert scene.archive()["begun_deletes"] == []
    stopped_before_delete(scene)
    scene.clock = LATER
    assert scene.archive()["begun_deletes"] == [BEGUN]
    told = scene.told[-1]
    for part in (str(WINDOW), "DAG 'dag', task 'task', run 'run', try 1", format_instant(PURGED_AT), FILE):
        assert part in told


def test_file_of_a_dead_run_stays_until_a_person_removes_it(scene: PurgeScene, ask: Ask) -> None:
    stopped_before_delete(scene)
    assert ask("--begun-deletes") == (1, {"command": "archive", "is_right": False, "begun_deletes": [BEGUN]})
    # the same task, tried again: that does not prove that the first process is dead
    assert scene.purge(now=LATER)["new"] == 1
    assert any(FILE in text and "has not said that it ended" in text for text in scene.told)
    assert ask("--begun-deletes")[1]["begun_deletes"] == [BEGUN]
    # what will happen is told, and nothing done
    code, answer = ask("--forget-delete", FILE)
    assert (code, answer["forgotten"], (scene.folder / FILE).exists()) == (1, False, True)
    code, answer = ask("--forget-delete", FILE, "--yes")
    assert (code, answer["forgotten"], answer["begun_deletes"]) == (0, True, [BEGUN])
    assert ask("--begun-deletes") == (0, {"command": "archive", "is_right": True, "begun_deletes": []})
    bring_back(scene)
    left = delete_one_on_purpose(scene)
    scene.clock = LATER
    scene.archive()
    assert scene.filed() == left


def test_points_that_were_deleted_on_purpose_stay_archived_as_long_as_there_is_a_file(
    scene: PurgeScene, ask: Ask
) -> None:
    stopped_before_delete(scene)
    bring_back(scene)
    left = delete_one_on_purpose(scene)
    scene.clock = LATER
    scene.archive()
    assert scene.filed() == as_facts(inside())
    # nobody knows which of the two has deleted it
    code, answer = ask("--forget-delete", FILE, "--yes")
    assert (code, answer["error"]["name"]) == (1, "PurgeRefused")
    assert "restore the window" in answer["error"]["message"]
    bring_back(scene)
    # the newest generation was made of the bucket as it was without the point
    code, answer = ask("--forget-delete", FILE, "--yes")
    assert (code, "archive the window" in answer["error"]["message"]) == (1, True)
    scene.archive()
    assert ask("--forget-delete", FILE, "--yes")[0] == 0
    assert delete_one_on_purpose(scene) == left
    scene.archive()
    assert scene.filed() == left


def test_archive_keeps_what_a_dead_run_has_deleted_after_a_restore_when_a_person_forgets_it(
    scene: PurgeScene, ask: Ask
) -> None:
    hung = stopped_before_delete(scene)
    bring_back(scene)
    assert hung.advance()  # the delete, and nothing after it
    assert ask("--forget-delete", FILE, "--yes")[0] == 1
    scene.clock = LATER
    scene.archive()
    assert scene.filed() == as_facts(inside())


def test_file_is_not_forgotten_when_its_window_is_about_to_be_archived_again(
    scene: PurgeScene, ask: Ask
) -> None:
    stopped_before_delete(scene)
    bring_back(scene)
    late = scene.land()
    code, answer = ask("--forget-delete", FILE, "--yes")
    assert (code, "archive the window" in answer["error"]["message"]) == (1, True)
    scene.clock = LATER
    scene.archive()
    assert ask("--forget-delete", FILE, "--yes")[0] == 0
    assert scene.filed() == as_facts([*inside(), late])


def test_names_of_files_can_be_copied_when_they_are_listed_for_people(
    scene: PurgeScene, ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stopped_before_delete(scene)
    place = (str(scene.base), "--bucket", scene.bucket, "--measurement", scene.measurement)
    common = ("archive", *place, "--ledger-bucket", scene.ledger)
    told = []
    for options in (["--begun-deletes"], ["--forget-delete", FILE], ["--forget-delete", FILE, "--yes"]):
        main([*common, *options])
        told.append(capsys.readouterr().out.splitlines())
    for lines in told:
        assert lines[0] == FILE
        assert lines[1].startswith("  begun by DAG 'dag', task 'task', run 'run', try 1, at ")
    assert [lines[-1] for lines in told[1:]] == ["nothing is removed: give --yes", "removed"]
    assert all("make sure that its process is gone" in " ".join(lines) for lines in told[1:])


@pytest.mark.parametrize(
    "name",
    [
        FILE.replace("00000001", "00000009"),
        "../x",
        f"{FOLDER}/gen=1/manifest.json",
        f"/{FILE}",
        # no month 13, and times in the wrong order
        "window=20251340T000000Z_20251341T000000Z/deletes/00000001",
        "window=20250309T000000Z_20250308T000000Z/deletes/00000001",
        "",
    ],
)
def test_command_fails_when_there_is_no_such_file(scene: PurgeScene, ask: Ask, name: str) -> None:
    stopped_before_delete(scene)
    code, answer = ask("--forget-delete", name, "--yes")
    assert (code, answer["error"]["name"]) == (2, "ConfigurationError")
    assert "relative to the measurement's folder" in answer["error"]["message"]
    assert (scene.folder / FILE).exists()


def test_file_is_removed_when_it_is_named_by_its_whole_path(scene: PurgeScene, ask: Ask) -> None:
    stopped_before_delete(scene)
    code, answer = ask("--forget-delete", str(scene.folder / FILE), "--yes")
    assert (code, answer["forgotten"], (scene.folder / FILE).exists()) == (0, True, False)


def test_file_stays_when_the_run_is_a_dry_one(scene: PurgeScene, ask: Ask) -> None:
    stopped_before_delete(scene)
    code, answer = ask("--forget-delete", FILE, "--yes", "--dry-run")
    assert (code, answer["forgotten"], (scene.folder / FILE).exists()) == (1, False, True)


def test_no_other_work_is_done_when_a_command_is_about_a_file(scene: PurgeScene, ask: Ask) -> None:
    stopped_before_delete(scene)
    for other in ("--verify", "--begun-deletes"):
        code, answer = ask("--forget-delete", FILE, "--yes", other)
        assert (code, "not allowed with argument" in answer["error"]["message"]) == (2, True)
        assert (scene.folder / FILE).exists()


def test_archive_that_is_not_there_has_no_good_news(
    scene: PurgeScene, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.archive()
    nothing = {"command": "archive", "is_right": False, "begun_deletes": []}
    assert ask("--begun-deletes", "--measurement", "nope") == (1, nothing)
    assert ask("--begun-deletes", "--from", "2020-01-01", "--to", "2020-01-02") == (1, nothing)
    place = ("archive", str(scene.base), "--bucket", scene.bucket, "--begun-deletes", "--measurement")
    for options, told in (
        (("nope",), "has no archive; that of a renamed bucket is under the bucket's earlier name"),
        ((scene.measurement, "--from", "2020-01-01", "--to", "2020-01-02"), "has no archive of [2020-01-01T"),
        ((scene.measurement, "--from", "2025-03-08", "--to", "2025-03-09"), "windows of [2025-03-08T"),
    ):
        capsys.readouterr()
        main([*place, *options])
        # long paths wrap the lines
        assert told in " ".join("".join(capsys.readouterr()).split())


def test_file_of_a_renamed_bucket_is_found_by_its_present_name_when_the_window_is_restored(
    scene: PurgeScene, ask: Ask
) -> None:
    stopped_before_delete(scene)
    bring_back(scene)
    renamed = f"{scene.bucket}_renamed"
    rename_bucket(scene.server, scene.bucket, renamed)
    # the folder's name, which is the only one that is known without a server
    assert ask("--begun-deletes")[1]["begun_deletes"] == [BEGUN]
    code, answer = ask("--forget-delete", FILE, "--yes")
    assert (code, "as it is called now" in answer["error"]["message"]) == (2, True)
    assert ask("--begun-deletes", "--bucket", renamed)[0] == 1
    assert ask("--forget-delete", FILE, "--yes", "--bucket", renamed)[0] == 0


def test_run_that_gives_up_before_its_delete_leaves_no_file_when_the_server_goes_away(
    scene: PurgeScene,
) -> None:
    stepper = Stepper(scene, scene.purge_steps())
    while not (scene.folder / FILE).exists():
        assert stepper.advance()
    require_gives_up(stepper)
    assert (list(scene.folder.rglob("deletes/*")), scene.purge_document()["state"]) == ([], "deleting")
    assert scene.purge(now=LATER)["new"] == 1


def test_file_stays_when_the_answer_to_the_delete_is_lost(scene: PurgeScene, ask: Ask) -> None:
    hung = stopped_before_delete(scene)
    require_gives_up(hung)
    scene.purge(now=LATER)
    assert ask("--begun-deletes")[1]["begun_deletes"] == [BEGUN]


def test_certificate_of_a_later_generation_stands_when_a_purge_hung_before_its_delete(
    scene: PurgeScene,
) -> None:
    """The later one has proven the late points too; the earlier one deletes what is gone already."""
    scene.archive()
    hung = stopped_before_delete(scene)
    bring_back(scene)
    scene.land()
    for spec, span in ((scene.hourly, DAY), (scene.daily, DAY)):
        scene.roll(spec, span)
    scene.clock = LATER
    scene.archive()
    first = scene.purge(now=LATER + timedelta(days=3))
    with pytest.raises(PartialWrite, match=r"generation 2 .* certificate 1 of the other run stands"):
        hung.finish()
    document = scene.purge_document()
    assert (document["generation"], document["certificate"], document["state"]) == (2, 1, "done")
    assert scene.purge(now=LATER + timedelta(days=4))["certificates"] == first["certificates"]
    assert [certificate["number"] for certificate in scene.certificates()] == [1]
    assert not [path for path in scene.files() if "/deletes/" in str(path)]
    bring_back(scene)
    assert scene.archive()["generation"] == 2


def test_doctor_tells_of_deletes_in_all_of_an_archive(
    scene: PurgeScene, ask: Ask, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def doctor(*options: str) -> tuple[int, list[dict[str, str]]]:
        capsys.readouterr()
        code = main(["doctor", "--ledger-bucket", scene.ledger, "--json", *options])
        found = json.loads(capsys.readouterr().out)["findings"]
        return code, [one for one in found if one["check"] == "deletes"]

    scene.archive()
    (scene.base / "_SUCCESS").touch()
    code, (one,) = doctor("--archive", str(scene.base))
    assert (code, one["status"], one["fix"]) == (0, "ok", "")
    assert "1 archived window" in one["message"]
    stopped_before_delete(scene)
    code, (one,) = doctor("--archive", str(scene.base))
    assert (code, one["status"]) == (0, "warn")
    for part in (str(WINDOW), "DAG 'dag', task 'task', run 'run', try 1", format_instant(PURGED_AT)):
        assert part in one["message"]
    # the command that it names is the right one
    (_, command) = one["fix"].split("influx-rollup ")
    assert main([*shlex.split(command), "--yes", "--ledger-bucket", scene.ledger]) == 0
    assert ask("--begun-deletes")[1]["begun_deletes"] == []
    # one that may be at work is none
    stopped_before_delete(scene)
    code, (one,) = doctor("--archive", str(scene.base), "--stuck-after", "36500d")
    assert (code, one["status"], "1 purge at work" in one["message"]) == (0, "ok", True)
    # folders may have one name, and files none of whose they are
    (tmp_path / "same/o/o/o" / FILE).parent.mkdir(parents=True)
    (tmp_path / "same/o/o/o" / FILE).touch()
    code, (one,) = doctor("--archive", str(tmp_path / "same"))
    assert (code, one["status"], "does not say of which run" in one["message"]) == (0, "warn", True)
    # a path without an archive has no good news, and the archives beside it are told
    code, found = doctor(
        "--archive", str(tmp_path / "nothing"), "--archive", "lake", "--archive", str(scene.base)
    )
    assert (code, [one["status"] for one in found]) == (1, ["fail", "fail", "warn"])
    assert "neither absolute" in found[1]["message"]
