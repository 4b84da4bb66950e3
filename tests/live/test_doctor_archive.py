"""What the doctor says of an archive: commands that work, also for names that are no plain words, and without a server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.steps.influx import Delete
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import FOLDER
from tests.scenes.purge_scene import PurgeScene, Stepper, make_empty_scene

pytestmark = pytest.mark.live

FILE = f"{FOLDER}/deletes/00000001"
SECRET = "s3cret-key"
LONG = "ä" * 60 + "x"

Doctor = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_empty_scene(influx, client, tmp_path)


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names no server."""
    for name in ("URL", "ORG", "TOKEN"):
        monkeypatch.delenv(f"INFLUX_{name}", raising=False)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command's code and findings."""

    def ask(*options: str) -> tuple[int, list[dict[str, str]]]:
        capsys.readouterr()
        code = main(["doctor", "--json", *options])
        shown = "".join(capsys.readouterr())
        assert SECRET not in shown
        return code, json.loads(shown)["findings"]

    return ask


def begun(scene: PurgeScene) -> None:
    """A purge that died right before its delete."""
    scene.prepare()
    stepper = Stepper(scene, scene.purge_steps())
    while not isinstance(stepper.pending, Delete):
        assert stepper.advance()


def command_in(findings: list[dict[str, str]]) -> list[str]:
    """The words of the command that the only finding about deletes names."""
    (one,) = (one for one in findings if one["check"] == "deletes")
    return shlex.split(one["fix"].split("influx-rollup ")[1])


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("measurement", [LONG, "-x", "two words 'quoted'"])
def test_command_of_a_finding_works_as_it_is_whatever_the_measurement_is_called(
    scene: PurgeScene, doctor: Doctor, tmp_path: Path, measurement: str
) -> None:
    scene.measurement = measurement
    begun(scene)
    (file,) = scene.base.rglob("deletes/*")
    token = tmp_path / "a token"
    token.write_text(scene.server.token)
    server = ("--url", scene.server.url, "--token-file", str(token), "--ledger-bucket", scene.ledger)
    code, findings = doctor(*server, "--org", scene.server.org, "--archive", str(scene.base))
    assert code == 0
    assert main([*command_in(findings), "--yes"]) == 0
    assert not file.exists()


@pytest.mark.usefixtures("no_server")
def test_findings_of_archives_are_told_when_the_server_is_not_named(
    scene: PurgeScene, doctor: Doctor, tmp_path: Path
) -> None:
    begun(scene)
    archive = ("--archive", str(scene.base))
    for options in (
        (),
        ("--url", scene.server.url, "--org", "dev", "--token-file", str(tmp_path / "nothing")),
        ("--url", f"http://me:{SECRET}@influx:8086", "--org", "dev", "--token-file", str(tmp_path)),
    ):
        code, findings = doctor(*options, *archive)
        assert code == 2
        assert (findings[-1]["check"], findings[-1]["status"]) == ("server", "fail")
        assert "ConfigurationError: " in findings[-1]["message"]
        assert command_in(findings)[-1] == FILE


@pytest.mark.usefixtures("no_server")
def test_address_of_an_archive_is_not_shown_when_it_may_hold_a_secret(doctor: Doctor) -> None:
    code, findings = doctor("--archive", f"s3://lake/x?secret={SECRET}")
    (one,) = (one for one in findings if one["check"] == "deletes")
    assert (code, one["status"], "goes on with ? or #" in one["message"]) == (2, "fail", True)


@pytest.mark.usefixtures("no_server")
def test_command_says_that_a_name_is_missing_when_no_manifest_tells_it(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "org/b/begin~0123456789abcdef0123456789abcdef" / FILE).parent.mkdir(parents=True)
    (tmp_path / "org/b/begin~0123456789abcdef0123456789abcdef" / FILE).touch()
    words = command_in(doctor("--archive", str(tmp_path), "--ledger-bucket", "led")[1])
    given = ["--org", "org", "--bucket", "b", "--measurement", "WHOLE_NAME", "--ledger-bucket", "led"]
    assert words[2:12] == [*given, "--forget-delete", FILE]
    assert "that of the folder is shortened" in " ".join(words)
