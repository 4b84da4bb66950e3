"""Patterns of measurements in a lifecycle file: looked up in each run, with receipts for each measurement."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.cli.main import main
from tests import oracle
from tests.scenes.lifecycle_scene import NAMES, PARTS, SPAN, Ask, Scene, needed, rolled

pytestmark = pytest.mark.live


def test_measurement_that_comes_later_is_found_by_the_next_run(scene: Scene, ask: Ask) -> None:
    path = scene.declare(measurement=["*", "!s*", "!disk", "!net"])
    few = ["cpu", "mem"]
    planned = needed(ask("plan", "--lifecycle", path, *SPAN)[1])
    code, told = ask("run", path, *SPAN)
    assert (code, sorted(one["measurement"] for one in told["measurements"])) == (0, sorted(few))
    assert rolled(told) == planned
    assert scene.differences(scene.hours, "1h", PARTS, *few) == []
    lines = [f"gpu,host=a usage={at} {1740787200 + at}000000000" for at in range(600)]
    scene.client.write_lines(scene.raw, lines)
    done = rolled(ask("run", path, *SPAN)[1])
    assert {name: windows for name, windows in done.items() if windows} == {
        f"{scene.raw}/gpu->{scene.minutes}@30m": 48,
        f"{scene.minutes}/gpu->{scene.hours}@1h": 24,
        "days:gpu": 1,
    }
    code, told = ask("coverage", *SPAN, "--ledger-bucket", scene.ledger)
    # the receipts of each measurement are its own
    assert (code, len(told["pipelines"])) == (0, 3 * (len(few) + 1))


def test_hostile_names_are_measurements_and_no_patterns(scene: Scene, ask: Ask) -> None:
    hostile = ["a*b", 'quo"te', "sp ace", "com,ma", "[x]", "ünïcode"]
    at = 1740787200
    for name in hostile:
        escaped = name.replace(",", r"\,").replace(" ", r"\ ")
        scene.client.write_lines(
            scene.raw, [f"{escaped},host=a usage={k} {at + k}000000000" for k in range(5)]
        )
    tiers = [{"bucket": scene.hours, "every": "1h", "aggregates": ["count", "sum"]}]
    path = scene.declare(measurement=["*", *(f"!{name}" for name in [*NAMES, "swap"])], tiers=tiers)
    code, told = ask("run", path, "--from", "2025-03-01T00:00:00Z", "--to", "2025-03-01T01:00:00Z")
    assert (code, sorted(one["measurement"] for one in told["measurements"])) == (0, sorted(hostile))
    address = (scene.server.url, scene.server.org, scene.server.token)
    flux = (
        f"""from(bucket: "{scene.hours}") |> range(start: 2025-03-01T00:00:00Z, stop: 2025-03-02T00:00:00Z)"""
    )
    rows = [
        (row["_measurement"], row["_field"], float(row["_value"])) for row in oracle.query(*address, flux)
    ]
    assert sorted(rows) == sorted(
        (name, *value) for name in hostile for value in (("usage_count", 5.0), ("usage_sum", 10.0))
    )


def test_pattern_that_stands_for_nothing_is_told(
    scene: Scene, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scene.declare(measurement="cpuu*")
    capsys.readouterr()
    for command in (("run", path), ("plan", "--lifecycle", path)):
        assert main([*command, *SPAN]) == 2
        told = capsys.readouterr().err
        assert (
            f"bucket '{scene.raw}' has no measurement that 'cpuu*' stands for; it has 'cpu', 'disk'" in told
        )


def test_one_of_those_that_are_found_can_be_chosen(scene: Scene, ask: Ask) -> None:
    path = scene.declare(measurement="*")
    code, told = ask("rollup", path, "--measurement", "mem", *SPAN)
    assert (code, [one["measurement"] for one in told["measurements"]]) == (0, ["mem"])
    code, told = ask("rollup", path, "--measurement", "*", *SPAN)
    assert (code, "use one of cpu, disk" in told["error"]["message"]) == (2, True)
    assert ask("explain", path)[1]["measurements"][0]["measurement"] == "*"
    assert len(ask("explain", path, "--ask")[1]["measurements"]) == len(NAMES) + 1
    assert ask("token", "plan", path)[0] == 0
