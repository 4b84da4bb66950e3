"""What an erasure takes everywhere, what it leaves to the last bit, and what it says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMissing, InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import read_generation, verify_files
from airflow_provider_influx_rollup.lifecycle.completeness.incomplete_windows import CompleteWhen
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    RUN,
    WINDOW,
    client_of,
    facts_of,
    point,
)
from tests.scenes.erase_scene import (
    HOURS,
    EraseScene,
    make_erase_scene,
    make_filled_scene,
    others,
    without,
)
from tests.scenes.purge_scene import ARCHIVED_AT, DAY, HOUR

pytestmark = pytest.mark.live

DAY_NS = 24 * HOUR


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


@pytest.fixture
def twin(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    """The same, in a world where the customer has never been."""
    return make_filled_scene(influx, client, tmp_path, with_customer=False)


def test_series_are_nowhere_and_all_others_are_as_they_were_when_they_are_erased(
    scene: EraseScene, twin: EraseScene
) -> None:
    scene.fill()
    before = {name: scene.rows(scene.rolled, name) for name in ("m", "m_daily")}
    scene.erase()
    assert scene.rows() == twin.rows()
    for name in ("m", "m_daily", "m_all"):
        assert scene.rows(scene.rolled, name) == twin.rows(twin.rolled, name)
    assert scene.rows(scene.rolled, "m") == without(before["m"], scene.tags)
    for pipeline in ("hourly", "daily", "merged"):
        assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
    assert scene.customers_in_files() == 0
    stored = [facts for window in HOURS for facts in scene.stored(window)]
    assert sorted(stored, key=repr) == facts_of(others())
    assert scene.reconcile(scene.hourly, Interval(HOURS[0].start, HOURS[-1].stop))["dirty"] == []


def test_receipts_count_no_point_that_came_after_the_commit_when_series_are_erased(
    scene: EraseScene, twin: EraseScene
) -> None:
    scene.fill()
    late = [point(hour * HOUR + 99, {"customer": "7", "device": "a"}, "temp", 5.0) for hour in (0, 0, 2)]
    for one in (scene, twin):
        one.add(*late, point(HOUR + 99, {"customer": "7", "device": "new"}, "temp", 6.0))
    scene.erase()
    for pipeline in ("hourly", "daily"):
        assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
    # so a reconcile finds how many came late
    for one in (scene, twin):
        before = len(one.ledger_rows("lateness", "points"))
        one.reconcile(one.hourly, Interval(HOURS[0].start, HOURS[-1].stop))
        assert one.ledger_rows("lateness", "points")[before:] == [1, 1, 1]
    assert scene.receipt_rows("hourly") == twin.receipt_rows("hourly")


def test_verify_and_certificates_say_erased_when_files_are_gone(
    scene: EraseScene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.fill()
    scene.purge(HOURS[0], require_pipelines=("hourly",), quiet_for="0s")
    first = scene.erase()
    assert first["certificate"]["number"] == 2
    again = scene.erase()
    assert (again["certificate"], again["new"], again["rows_in"]) == (first["certificate"], 0, 0)
    told = scene.told
    assert scene.verified() == []
    assert sum("removed by erasure" in text for text in told) == 3
    with pytest.raises(ArchiveMissing, match="gone for good"):
        drive(verify_old(scene), scene.client, scene.tell, actions_with(scene.store))
    # with nothing but the files
    path = str(scene.folder)
    checks = ["certificate", "verify", path, "--archive", str(scene.base)]
    assert main(checks) == 0
    assert main([*checks, "--erased", "customer=42"]) == 0
    shown = capsys.readouterr().out
    assert "1 right: of erasures of these tags" in shown
    assert main([*checks, "--erased", "customer=42", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["certificates"]
    assert (answer["points"], answer["archived_points"]) == (8, 12)
    assert main([*checks, "--erased", "customer=43"]) == 1
    assert capsys.readouterr().out.strip() == "no certificate is of an erasure of these tags"
    assert first["certificate"]["sha256"] in shown
    texts = ("customer=42", '"42"', "'42'")
    assert scene.values_in_documents(*texts) == []
    assert not any(text in line for line in (*told, json.dumps(first), shown) for text in texts)
    back = next(scene.folder.glob("window=*/gen=1")) / first_file(scene)
    back.write_bytes(b"PAR1")
    assert main(checks) == 1


def test_certificate_says_that_no_pipeline_is_known_when_there_is_no_ledger_of_that_name(
    scene: EraseScene,
) -> None:
    scene.fill()
    absent = f"{scene.ledger}_absent"
    archive = replace(scene.spec, ledger_bucket=absent)
    why = "which pipelines hold the series is not known"
    assert why in scene.erase(dry_run=True, archive=archive)["kept"][f"any of ledger {absent!r}"]["why"]
    assert any(f"ledger {absent!r}" in text and why in text for text in scene.told)
    scene.erase(archive=archive)
    assert why in scene.erase_certificates()[0]["kept"][f"any of ledger {absent!r}"]["why"]
    # with the ledger that they have, their rows go too
    rolled = scene.rows(scene.rolled, scene.hourly.output_measurement)
    assert without(rolled, scene.tags) < rolled
    scene.erase()
    left = scene.rows(scene.rolled, scene.hourly.output_measurement)
    assert without(left, scene.tags) == left


def first_file(scene: EraseScene) -> str:
    """One that was removed."""
    removed = scene.erase_certificates()[0]["archive"]["removed"]
    folder = min(one["folder"] for one in removed)
    return str(next(one for one in removed if one["folder"] == folder)["files"][0]["name"])


def verify_old(scene: EraseScene) -> Steps[Any]:
    """The files of a generation that was erased."""
    published = yield from read_generation(window_folder(scene.spec.folder, HOURS[1]), 1)
    assert published is not None
    return (yield from verify_files(published))


def test_dry_run_counts_and_changes_nothing_when_it_is_asked(scene: EraseScene) -> None:
    scene.fill()
    before, files = scene.rows(), scene.files()
    result = scene.erase(dry_run=True)
    assert {place.partition(" ")[0]: rows for place, rows in result["places"].items()} == {
        "source": 12,
        "archive": 4,
        "target": 4,
    }
    assert (result["state"], result["certificate"], result["new"]) == ("PLANNED", None, 0)
    assert set(result["kept"]) == {"merged"}
    assert (scene.rows(), scene.files(), scene.pending()) == (before, files, [])


HOSTILE = [
    {"customer": 'a "quoted" one'},
    {"customer": "back\\slash in"},
    {"customer": "comma, equals = and space"},
    {"customer": "$" + "{r._field} \u2028 \U0001f600 'x' AND _measurement=\"m\""},
    {'cus,to=mer "k"': "ü/42"},
    {"customer": "42", "site": "a"},
]


def test_only_the_named_series_go_when_names_are_hostile(scene: EraseScene) -> None:
    scene.measurement = 'm "x", y=z'
    stays = [point(n, {"customer": "c", "n": str(n)}, "temp", float(n)) for n in range(3)]
    scene.add(*stays)
    for number, tags in enumerate(HOSTILE):
        scene.add(point(number, {**tags, "device": "d"}, "temp", 1.5), point(9, tags, "a b", f"t{number}"))
    scene.archive(WINDOW)
    for number, tags in enumerate(HOSTILE, start=1):
        scene.tags = tags
        result = scene.erase()
        assert (result["rows_in"], result["certificate"]["number"]) == (2, number), tags
        assert scene.customers_in_files() == 0
    assert scene.stored() == facts_of(stays)
    assert {row[3] for row in scene.rows()} == {0.0, 1.0, 2.0}


@pytest.mark.recorded("{'pipelines': ('nobody',)}-")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tags": {}}, "tags is empty"),
        ({"tags": {"temp": "1.0"}}, "is a field"),
        ({"tags": {"custmer": "42"}}, "has a tag 'custmer'"),
        ({"tags": {"customer": "4\ud8002"}}, "UTF-8 cannot carry"),
        ({"tags": {"customer": ""}}, "it is empty"),
        ({"tags": {"_field": "temp"}}, "InfluxDB uses it itself"),
        ({"pipelines": ("nobody",)}, "knows no pipeline"),
        ({"quarantine_buckets": ("no such bucket",)}, "there is no bucket"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_nothing_is_erased_when_the_request_is_wrong(
    small: EraseScene, changes: dict[str, Any], why: str
) -> None:
    before, files = small.rows(), small.files()
    with pytest.raises(InfluxRollupError, match=why) as caught:
        small.erase(**changes)
    assert "4\ud8002" not in str(caught.value)
    assert "4\\ud8002" not in str(caught.value)
    assert (small.rows(), small.files(), small.pending()) == (before, files, [])


@pytest.fixture(scope="module")
def small(influx: InfluxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EraseScene]:
    """One archived point of the customer, which nobody erases."""
    with client_of(influx, deadline_seconds=5.0) as client:
        made = make_erase_scene(influx, client, tmp_path_factory.mktemp("small"))
        made.add(point(1, made.tags, "temp", 1.0))
        made.roll(made.hourly, WINDOW)
        made.archive(WINDOW)
        yield made


def test_nothing_is_erased_when_measurement_or_archive_is_unknown(small: EraseScene) -> None:
    unknown = replace(small.erase_spec.archive, measurement="unknown")
    with pytest.raises(InfluxRollupError, match="no archive"):
        small.erase(archive=unknown)
    with pytest.raises(InfluxRollupError, match=r"measurement .* does not exist"):
        small.erase(archive=unknown, require_archive=False)
    assert small.erase(tags={"customer": "nobody"})["certificate"] is None


def test_pipelines_of_copies_lose_the_series_when_the_bucket_is_named(
    scene: EraseScene, client: InfluxClient
) -> None:
    copies = f"{scene.bucket}_clean"
    client.ensure_bucket(copies)
    scene.add(point(1, {"customer": "7"}, "temp", 1.0))
    scene.archive(WINDOW)
    # validated a day before the first point that the bucket still has
    times = [point(n - DAY_NS, {}, "temp", 0.0).time_ns for n in (1, 2)]
    client.write_lines(copies, [f"m,customer={one} temp={one} {ns}" for ns in times for one in (42, 7)])
    kept = replace(scene.hourly, source_bucket=copies, target_measurement="m_clean", pipeline="clean")
    merged = replace(kept, target_measurement="m_merged", pipeline="merged", group_by=())
    day = Interval(DAY.start - timedelta(days=1), DAY.stop)
    for spec in (kept, merged):
        scene.roll(spec, day)
    assert {row[3] for row in scene.rows(scene.rolled, "m_merged")} >= {98.0}
    assert set(scene.erase(quarantine_buckets=(copies,), dry_run=True)["kept"]) == {"merged"}
    result = scene.erase(quarantine_buckets=(copies,))
    assert (result["kept"], result["computed_again"]) == ({}, {"merged": 1})
    assert {row[2:] for row in scene.rows(scene.rolled, "m_merged")} == {
        ("temp_count", 2),
        ("temp_sum", 14.0),
    }
    assert {row[1] for row in scene.rows(scene.rolled, "m_clean")} == {(("customer", "7"),)}
    for spec in (kept, merged):
        assert scene.reconcile(spec, day)["dirty"] == []


def test_clean_copies_go_under_the_name_that_a_validation_gave_them(
    scene: EraseScene, client: InfluxClient
) -> None:
    scene.add(point(1, scene.tags, "temp", 1.0), point(1, {"customer": "7"}, "temp", 2.0))
    scene.archive(WINDOW)
    clean = f"{scene.bucket}_clean"
    rules = rules_of([{"rule": "range", "field": "temp", "low": 0}])
    checked = ValidateSpec(
        bucket=scene.bucket,
        measurement="m",
        rules=rules,
        clean_bucket=clean,
        clean_measurement="m_clean",
        ledger_bucket=scene.ledger,
    )
    renamed = replace(
        checked,
        name="renaming",
        clean_measurement="m_other",
        transformations=transformations_of([{"transform": "rename_tag", "tag": "customer", "to": "client"}]),
    )
    for one in (checked, renamed):
        drive(validate(one, WINDOW, RUN, lambda: ARCHIVED_AT), client, scene.tell).as_json()
    spec = replace(scene.merged, source_bucket=clean, measurement="m_clean", target_measurement="m_all")
    scene.roll(spec, WINDOW)
    result = scene.erase()
    assert {row[1] for row in scene.rows(clean, "m_clean")} == {(("customer", "7"),)}
    # a pipeline of the copies has lost it too, and what has other tags is told
    assert {row[2:] for row in scene.rows(scene.rolled, "m_all")} == {("temp_count", 1), ("temp_sum", 2.0)}
    assert {name: kept["why"] for name, kept in result["kept"].items()} == {
        "validation renaming": f"its points in {clean}/m_other have another 'customer': erase them there by the tags that they have"
    }
    assert len(scene.rows(clean, "m_other")) == 2
    (certificate,) = scene.erase_certificates()
    assert [one["measurement"] for one in certificate["copies"]] == ["m_clean"]
    assert certificate["kept"] == result["kept"]


def completeness(scene: EraseScene) -> CompletenessSpec:
    """What a sensor asked for that let a window go on."""
    return CompletenessSpec(
        bucket=scene.bucket,
        measurement="m",
        expected=({"customer": "42", "device": "a"}, {"customer": "7"}),
        retired=({"customer": "42"},),
    )


def test_copies_and_records_go_when_buckets_are_named(scene: EraseScene, client: InfluxClient) -> None:
    scene.add(point(1, scene.tags, "temp", 1.0), point(1, {"customer": "7"}, "temp", 1.0))
    scene.archive(WINDOW)
    copies = f"{scene.bucket}_copies"
    client.ensure_bucket(copies)
    lines = [f"{kind},customer={one} temp=1 1741392000000000001" for kind in "mn" for one in (42, 7)]
    lines += [
        f"statuses,_source_measurement={name},customer={one},_level=ok dead=false 1741392000000000001"
        for name in "mn"
        for one in (42, 7)
    ]
    client.write_lines(copies, lines)
    by_series = json.dumps([[{"customer": "42"}, 2], [{"customer": "7"}, 1]]).replace('"', '\\"')
    examples = json.dumps(
        [{"tags": {"customer": "42"}}, {"message": "customer=42 is silent"}, {"message": "ok"}]
    )
    # a filter by the tag, with the name that a pipeline has by default
    filtered = replace(
        scene.hourly, pipeline=None, tags={"customer": ("7", "42")}, target_measurement="m_two"
    )
    scene.roll(filtered, WINDOW)
    asked = {"spec": asdict(completeness(scene)), "interval": WINDOW.as_json()}
    question = json.dumps(asked).replace('"', '\\"')
    lacked = "2 series missing: customer=42, device=a; customer=421"
    client.write_lines(
        scene.ledger,
        [
            f'window_receipt,pipeline=p,stage=rollup incomplete="{lacked}",complete_when="{question}",rows_in=5i 1741392000000000000',
            f'window_event,pipeline=p,stage=rollup incomplete="{lacked}" 1767225600000000003',
            'window_event,pipeline=p,stage=rollup incomplete="1 series missing: customer=421" 1767225600000000004',
            f'lateness,pipeline=p,measurement=m by_series="{by_series}",points=3i 1741392000000000003',
            'validation_results,validation=v,measurement=m,rule=r examples="'
            + examples.replace('"', '\\"')
            + '" 1741392000000000000',
        ],
    )
    scene.told.clear()
    result = scene.erase(quarantine_buckets=(copies,), status_buckets=(copies,))
    assert {row[1] for row in scene.rows(copies, "m")} == {(("customer", "7"),)}
    assert len(scene.rows(copies, "n")) == 2
    assert len(scene.rows(copies, "statuses")) == 3
    assert scene.ledger_rows("lateness", "by_series") == ['[[{"customer": "7"}, 1]]']
    assert scene.ledger_rows("lateness", "points") == [3]
    assert scene.ledger_rows("validation_results", "examples") == ['[{"message": "ok"}]']
    (certificate,) = scene.erase_certificates()
    receipts = {
        "window_event.incomplete": 1,
        "window_receipt.incomplete": 1,
        "window_receipt.complete_when": 1,
    }
    assert certificate["records"] == {"lateness": 1, "validation_results": 1, **receipts}
    assert sorted(scene.ledger_rows("window_event", "incomplete"))[-2:] == [
        "1 series missing: customer=421",
        "what it lacked named series that were erased",
    ]
    (left,) = [text for text in scene.ledger_rows("window_receipt", "complete_when") if text]
    others_only = replace(completeness(scene), expected=({"customer": "7"},), retired=())
    assert CompleteWhen.from_text(left).spec == others_only
    assert 5 in scene.ledger_rows("window_receipt", "rows_in")
    shown = f"{scene.bucket}/m{{customer=7|...}}->{scene.rolled}/m_two@1h"
    assert certificate["named_in_specs"] == result["named_in_specs"] == [shown]
    assert [shown] in [one["pipelines"] for one in certificate["targets"]]
    assert not any("customer=7|42" in text for text in (json.dumps([certificate, result]), *scene.told))
    assert sum(one["erased"]["rows"] for one in certificate["copies"]) == 2
    assert result["certificate"]["number"] == 1
