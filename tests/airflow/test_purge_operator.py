"""Purges as a task sees them, on a real InfluxDB: the interval, the key, refusals, and the command that checks certificates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowNotDue
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "a secret that nobody may see, 123"


@pytest.fixture
def place(client: InfluxClient, bucket_factory: Callable[[], str], tmp_path: Path) -> dict[str, Any]:
    """Three hours with two points each, archived."""
    names = {
        "bucket": bucket_factory(),
        "ledger_bucket": bucket_factory(),
        "measurement": "m",
        "path": str(tmp_path / "archive"),
        "influx_conn_id": "tele",
        "every": "1h",
    }
    begin = int(START.timestamp()) * 10**9
    lines = [f"m,d=a temp={n} {begin + n * 1800 * 10**9}" for n in range(6)]
    client.write_lines(str(names["bucket"]), lines)
    archive = ArchiveWindowOperator(task_id="archive", start=START, stop=START + 3 * HOUR, **names)
    assert archive.execute(make_context())["windows"] == 3
    return names


def make_operator(place: dict[str, Any], **kwargs: Any) -> PurgeWindowOperator:
    return PurgeWindowOperator(
        task_id="purge", **{"require_pipelines": [], "quiet_for": "0s", **place, **kwargs}
    )


def rows(client: InfluxClient, bucket: str) -> int:
    flux = f'from(bucket: "{bucket}") |> range(start: 2024-01-01T00:00:00Z) |> count()'
    return sum(row["_value"] for row in client.query(flux))


def test_older_interval_is_purged_when_there_is_a_delay(client: InfluxClient, place: dict[str, Any]) -> None:
    later = START + timedelta(days=30)
    context = make_context(data_interval_start=later, data_interval_end=later + 2 * HOUR)
    operator = make_operator(place, delay="30d", min_age="1d")
    result = operator.execute(context)
    assert json.loads(json.dumps(result)) == result
    assert result["window"] == {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T12:00:00Z"}
    assert (result["rows_in"], result["new"], len(result["certificates"])) == (4, 2, 2)
    assert rows(client, place["bucket"]) == 2
    # an interval without points and without an archive
    far = make_operator(place, start=START - 9 * HOUR, stop=START - 8 * HOUR)
    assert far.execute(make_context())["rows_in"] == 0


def test_task_fails_for_good_or_for_now_when_a_purge_is_refused(
    client: InfluxClient, place: dict[str, Any]
) -> None:
    span = {"start": START, "stop": START + HOUR}
    with pytest.raises(AirflowFailException, match=r"quiet_for=1d has not passed.*nothing was deleted"):
        make_operator(place, quiet_for="1d", **span).execute(make_context())
    with pytest.raises(WindowNotDue, match="may be purged from"):
        make_operator(place, min_age="36500d", **span).execute(make_context())
    planned = make_operator(place, dry_run=True, quiet_for="1d", **span).execute(make_context())
    assert (planned["state"], len(planned["refused"])) == ("PLANNED", 1)
    assert rows(client, place["bucket"]) == 6


def test_key_is_refused_and_not_shown_when_it_stands_in_the_dag(place: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="does not name where a key is kept") as caught:
        make_operator(place, signing_key=SECRET)
    assert SECRET not in str(caught.value)
    with pytest.raises(AirflowFailException, match="no signing key in variable 'nothing'"):
        make_operator(place, signing_key="variable:nothing", start=START, stop=START + HOUR).execute(
            make_context()
        )


@pytest.fixture
def signed(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Path:
    """The certificates of three hours, each signed by a key from another place; the folder of the measurement."""
    pair = Ed25519PrivateKey.generate()
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("AIRFLOW_VAR_PURGE_KEY", pem)
    monkeypatch.setenv("PURGE_KEY", pem)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"conn_type": "generic", "password": pem}))
    for number, kept in enumerate(("variable:purge_key", "env:PURGE_KEY", "connection:signer")):
        span = {"start": START + number * HOUR, "stop": START + (number + 1) * HOUR}
        make_operator(place, signing_key=kept, **span).execute(make_context())
    assert pem.splitlines()[1] not in caplog.text
    (folder,) = Path(place["path"]).glob("*/*/m")
    return folder


def verify(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["certificate", "verify", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_certificates_are_right_when_nothing_was_touched(
    signed: Path,
    place: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, told = verify(capsys, signed, "--archive", place["path"], "--key", tmp_path / "public.pem")
    assert (code, told["is_right"], told["is_chain"], len(told["certificates"])) == (0, True, True, 3)
    assert all(one["is_archive_compared"] and one["is_signature_checked"] for one in told["certificates"])
    code, told = verify(capsys, signed / "certificates" / "00000002.json")
    assert (code, told["is_chain"], told["certificates"][0]["points"]) == (0, False, 2)
    monkeypatch.delenv("INFLUX_URL")
    assert main(["certificate", "verify", str(signed)]) == 0
    assert "3 right: one chain" in capsys.readouterr().out


def test_certificates_are_wrong_when_something_was_touched(
    signed: Path, place: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = signed / "certificates"

    def found(*words: str | Path) -> str:
        code, told = verify(capsys, *(words or (signed,)))
        assert code == 1
        return str(told["error"]["message"])

    assert "another key has signed it" in found(signed, "--key", tmp_path / "secret")
    parquet = next(iter(signed.rglob("*.parquet")))
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "is not the file that" in found(signed, "--archive", place["path"])
    parquet.unlink()
    assert "is not there" in found(signed, "--archive", place["path"])
    second = (folder / "00000002.json").read_bytes()
    (folder / "00000002.json").write_bytes(second.replace(b'"rows": 2', b'"rows": 3', 1))
    assert "00000002.json is damaged" in found()
    shutil.copy(folder / "00000003.json", folder / "00000002.json")
    assert "it says that it is number 3, not 2" in found()
    (folder / "00000002.json").unlink()
    assert "it says that it is number 3, not 2" in found()
    assert "is not there" in found(folder / "00000002.json")


def test_call_is_wrong_when_there_is_nothing_to_check(
    signed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["certificate", "verify", str(tmp_path / "nothing")]) == 2
    assert "there is no certificate in" in capsys.readouterr().err
    assert main(["certificate", "verify", str(signed), "--key", str(tmp_path / "no-key")]) == 2
    assert "cannot be read" in capsys.readouterr().err
