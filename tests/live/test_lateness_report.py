"""Points that arrive at known times, and what a report says of their lateness, which nobody told it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.ledger.lateness import LateArrival, encode_check, encode_lateness
from airflow_provider_influx_rollup.lifecycle.lateness.lateness import LatenessSpec, report_lateness
from airflow_provider_influx_rollup.lifecycle.lateness.result import LatenessReport, LatenessRow
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
HOURS = 15
SITES = ("berlin", "nairobi", "lima")
LATENESS = timedelta(minutes=10)
NAMES = {"99%": Fraction(99, 100), "99.9%": Fraction(999, 1000)}


@dataclass
class Delivery:
    """Points, each with the time it arrives at."""

    times: list[datetime]
    sites: list[str]
    arrivals: list[datetime]
    delivered: set[int] = field(default_factory=set)

    def arrived_until(self, instant: datetime) -> list[str]:
        """Lines of what arrived since the last call."""
        new = [i for i, arrival in enumerate(self.arrivals) if arrival <= instant and i not in self.delivered]
        self.delivered.update(new)
        return [
            f"readings,device=d{i % 7},site={self.sites[i]} temp={i}.5 {ns(self.times[i]) + i}" for i in new
        ]

    def lateness(self, site: str = "") -> list[float]:
        """The truth: seconds from the stop of each point's hour to its arrival, sorted; 0 when it came before."""
        behind = []
        for time, arrival, where in zip(self.times, self.arrivals, self.sites, strict=True):
            if site in ("", where):
                stop = time.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
                behind.append(max(0.0, (arrival - stop).total_seconds()))
        return sorted(behind)


def ns(instant: datetime) -> int:
    return int(instant.timestamp()) * 10**9


def make_delivery(seed: int) -> Delivery:
    """Most points come at once; of the others, berlin's are minutes late, nairobi's hours, lima's never."""
    random = np.random.default_rng(seed)
    times, sites, arrivals = [], [], []
    for index in range(HOURS * 120):
        time = START + timedelta(seconds=30 * index + int(random.integers(0, 30)))
        site = SITES[index % 3]
        delay = timedelta(seconds=float(random.exponential(5)))
        if site == "berlin" and random.random() < 0.08:
            delay += timedelta(minutes=float(random.uniform(15, 100)))
        if site == "nairobi" and random.random() < 0.01:
            delay += timedelta(hours=float(random.uniform(2, 9)))
        times.append(time)
        sites.append(site)
        arrivals.append(time + delay)
    return Delivery(times, sites, arrivals)


@pytest.fixture(scope="module")
def spec(client: InfluxClient) -> RollupSpec:
    return make_spec(client)


def make_spec(client: InfluxClient) -> RollupSpec:
    name = uuid.uuid4().hex[:10]
    for bucket in (f"late_raw_{name}", f"late_hourly_{name}"):
        client.ensure_bucket(bucket)
    return RollupSpec(
        source_bucket=f"late_raw_{name}",
        target_bucket=f"late_hourly_{name}",
        measurement="readings",
        grid=GridSpec("1h"),
        aggregates=("sum", "max"),
        lateness="10m",
        pipeline="readings hourly",
        ledger_bucket=f"late_ledger_{name}",
    )


@pytest.fixture(scope="module")
def delivery(client: InfluxClient, spec: RollupSpec) -> Delivery:
    """Hourly runs on time, and every third hour a rerun of the last 12 hours."""
    made = make_delivery(5)
    for hour in range(1, HOURS + 12):
        clock = START + timedelta(hours=hour) + LATENESS + timedelta(seconds=20)
        if hour <= HOURS:
            deliver(client, spec, made, clock)
            roll(client, spec, hour - 1, hour, clock)
        if hour % 3 == 0:
            deliver(client, spec, made, clock + timedelta(minutes=1))
            roll(client, spec, max(0, hour - 12), min(hour, HOURS), clock + timedelta(minutes=1))
    assert len(made.delivered) == len(made.times)
    return made


def deliver(client: InfluxClient, spec: RollupSpec, delivery: Delivery, clock: datetime) -> None:
    lines = delivery.arrived_until(clock)
    if lines:
        client.write_lines(spec.source_bucket, lines)


def roll(client: InfluxClient, spec: RollupSpec, first: int, stop: int, clock: datetime) -> None:
    interval = Interval(START + timedelta(hours=first), START + timedelta(hours=stop))
    drive(roll_up(spec, interval, RunInfo(), lambda: clock), client, lambda _report: None)


def report(client: InfluxClient, spec: RollupSpec, **more: Any) -> LatenessReport:
    asked = LatenessSpec(ledger_bucket=spec.ledger_bucket, **more)
    steps = report_lateness(asked, Interval(START, START + timedelta(hours=HOURS)), datetime.now(UTC))
    return drive(steps, client, lambda _report: None)


def true_quantile(lateness: list[float], share: Fraction) -> float:
    """The least lateness that this share of the points does not exceed."""
    return lateness[ceil(share * len(lateness)) - 1]


def require_true(row: LatenessRow, truth: list[float]) -> None:
    """Every number of a row encloses the truth."""
    assert row.distribution.points == len(truth)
    for share in (Fraction(1, 2), *NAMES.values(), Fraction(1)):
        bounds = row.distribution.quantile(share)
        assert bounds.at_least <= true_quantile(truth, share) <= bounds.at_most
    for seconds in range(0, 40_000, 500):
        surely, perhaps = row.distribution.caught(seconds)
        caught = sum(late <= seconds for late in truth) / len(truth)
        assert surely <= caught <= perhaps


def test_report_encloses_the_true_lateness_when_points_came_at_known_times(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    (row,) = report(client, spec).rows
    truth = delivery.lateness()
    require_true(row, truth)
    late = [seconds for seconds in truth if seconds > LATENESS.total_seconds() + 20]
    assert row.distribution.late_points == len(late) > 30
    # reruns came every three hours, so that no interval is longer
    widths = [sample.at_most - sample.at_least for sample in row.distribution.late.samples]
    assert 0 < max(widths) <= 3 * 3600 + 120
    assert row.distribution.on_time.quantile(Fraction(1)).at_most == LATENESS.total_seconds() + 20


def test_setting_catches_the_share_when_it_is_recommended(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    found = report(client, spec).as_json()
    truth = delivery.lateness()
    settings = found["rows"][0]["settings"]
    for name, share in NAMES.items():
        assert settings[name]["present"] == "10m"
        assert settings[name]["verdict"] == "raise"
        recommended = Duration.parse(settings[name]["recommended"]).timedelta.total_seconds()
        assert sum(late <= recommended for late in truth) >= share * len(truth)
    assert found["rows"][0]["points"] == len(truth)
    assert (found["unwatched_windows"], found["notes"], found["rows_left_out"]) == (0, [], 0)


def test_record_is_one_when_the_same_repair_is_told_again(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    before = stored(client, spec.ledger_bucket)
    assert len(before) > 10
    told = [
        LateArrival(
            pipeline=row["pipeline"],
            measurement=row["measurement"],
            window=Interval(hour(row["window_start_ns"]), hour(row["stop_ns"])),
            generation=row["generation"],
            points=row["points"],
            at_least_seconds=row["at_least_seconds"],
            at_most_seconds=row["at_most_seconds"],
            found_at=hour(row["found_at_ns"]),
        )
        for row in before
    ]
    client.write_lines(spec.ledger_bucket, encode_lateness(told))
    assert stored(client, spec.ledger_bucket) == before


def test_bounds_are_closer_when_looks_in_between_found_nothing(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    before = report(client, spec).rows[0].distribution.late
    # the truth plays a reconcile that looks at each hour and finds those right to which nothing new has come
    lines: list[str] = []
    for number in range(2, 2 * HOURS):
        now = START + timedelta(minutes=30 * number + 17)
        windows = [START + timedelta(hours=past) for past in range(min(HOURS, number // 2))]
        clean = [
            w for w in (Interval(s, s + timedelta(hours=1)) for s in windows) if is_clean(delivery, w, now)
        ]
        lines += encode_check(spec.pipeline_name, clean, now)
    client.write_lines(spec.ledger_bucket, lines)
    (row,) = report(client, spec).rows
    require_true(row, delivery.lateness())
    after = row.distribution.late
    assert sum(s.at_most - s.at_least for s in after.samples) < 0.9 * sum(
        s.at_most - s.at_least for s in before.samples
    )


def test_sites_and_close_bounds_are_told_when_reconciles_repair(client: InfluxClient) -> None:
    # what a series has gained is known where its count is stored
    spec, made = replace(make_spec(client), aggregates=("count", "max")), make_delivery(7)
    for number in range(1, HOURS + 12):
        clock = START + timedelta(hours=number) + LATENESS + timedelta(seconds=20)
        deliver(client, spec, made, clock)
        if number <= HOURS:
            roll(client, spec, number - 1, number, clock)
        elif number % 2:
            sweep(client, spec, clock)
    assert len(made.delivered) == len(made.times)
    rows = {row.group: row for row in report(client, spec, group_by=("site",)).rows}
    assert set(rows) == {(("site", site),) for site in SITES}
    for site in SITES:
        require_true(rows[("site", site),], made.lateness(site))
    late = [sample for row in rows.values() for sample in row.distribution.late.samples]
    # the last looks were two hours apart
    assert min(sample.at_most - sample.at_least for sample in late) <= 2 * 3600


def sweep(client: InfluxClient, spec: RollupSpec, clock: datetime) -> None:
    interval = Interval(START, START + timedelta(hours=HOURS))
    drive(reconcile(spec, interval, RunInfo(), lambda: clock), client, lambda _report: None)


def is_clean(delivery: Delivery, window: Interval, now: datetime) -> bool:
    """Whether the last run that saw a window has seen all that has arrived for it."""
    runs = [START + timedelta(hours=h) + LATENESS + timedelta(seconds=20) for h in range(HOURS + 12)]
    firsts = [run for run in runs if run > window.stop][:1]
    reruns = [run + timedelta(minutes=1) for h, run in enumerate(runs) if h % 3 == 0 and run > window.stop]
    seen = [run for run in (*firsts, *reruns) if run <= now]
    arrived = [
        a for t, a in zip(delivery.times, delivery.arrivals, strict=True) if window.contains(t) and a <= now
    ]
    return bool(seen) and all(arrival <= max(seen) for arrival in arrived)


def hour(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC)


def stored(client: InfluxClient, ledger: str) -> list[dict[str, Any]]:
    rows = client.query(
        f'from(bucket: "{ledger}") |> range(start: 0, stop: 2100-01-01T00:00:00Z) '
        '|> filter(fn: (r) => r._measurement == "lateness") '
        '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    )
    return sorted(rows, key=lambda row: (row["window_start_ns"], row["generation"]))


@pytest.mark.recorded
def test_rows_are_of_tag_groups_when_the_series_of_late_points_are_known(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    """A repair that compares series by series says which ones grew; here the truth plays that part."""
    by_window = late_by_window(delivery)
    told = []
    for row in stored(client, spec.ledger_bucket):
        window = Interval(hour(row["window_start_ns"]), hour(row["stop_ns"]))
        bounds = row["at_least_seconds"], row["at_most_seconds"]
        series = [(site, n) for site, n in by_window(window, *bounds).items() if n]
        assert sum(n for _, n in series) == row["points"]
        told.append(
            LateArrival(
                pipeline=spec.pipeline_name,
                measurement="readings",
                window=window,
                generation=row["generation"],
                points=row["points"],
                at_least_seconds=bounds[0],
                at_most_seconds=bounds[1],
                found_at=hour(row["found_at_ns"]),
                by_series=tuple(((("device", "x"), ("site", site)), n) for site, n in series),
            )
        )
    client.write_lines(spec.ledger_bucket, encode_lateness(told))
    rows = {row.group: row for row in report(client, spec, group_by=("site",)).rows}
    assert next(iter(rows)) == (("site", "berlin"),)
    assert set(rows) == {(("site", site),) for site in SITES}
    for site in SITES:
        require_true(rows[("site", site),], delivery.lateness(site))
    lima = rows[("site", "lima"),].as_json()
    assert (lima["late_points"], lima["late"], lima["settings"]["99.9%"]["recommended"]) == (0, {}, "10m")
    assert lima["settings"]["99.9%"]["verdict"] == "enough"


def late_by_window(delivery: Delivery) -> Any:
    points = list(zip(delivery.times, delivery.arrivals, delivery.sites, strict=True))

    def count(window: Interval, at_least: float, at_most: float) -> dict[str, int]:
        low, high = (window.stop + timedelta(seconds=seconds) for seconds in (at_least, at_most))
        inside = [s for time, arrival, s in points if window.contains(time) and low < arrival <= high]
        return {site: inside.count(site) for site in SITES}

    return count


@pytest.mark.recorded
def test_backfilled_windows_are_left_out_when_they_were_first_committed_days_later(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    some = report(client, spec, watched_within="15s")
    assert (some.rows, some.unwatched_windows) == ([], HOURS)
    assert ["15 windows were first committed more than 15s" in note for note in some.notes] == [True, False]
    assert report(client, spec, watched_within="25s").unwatched_windows == 0


@pytest.mark.parametrize("key", ["", "_time", "_field"])
def test_report_is_refused_when_it_is_asked_for_groups_of_no_tag(key: str) -> None:
    with pytest.raises(InvalidName, match="tag name"):
        LatenessSpec(group_by=("site", key))


@pytest.mark.recorded
@pytest.mark.parametrize("ledger", ["its own", "one that is not there"])
def test_pipeline_is_refused_when_the_ledger_does_not_know_it(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery, ledger: str
) -> None:
    bucket = spec.ledger_bucket if ledger == "its own" else "nowhere"
    steps = report_lateness(
        LatenessSpec(("hourly", spec.pipeline_name), ledger_bucket=bucket),
        Interval(START, START + timedelta(hours=1)),
        datetime.now(UTC),
    )
    known = "readings hourly" if ledger == "its own" else "none yet"
    with pytest.raises(ConfigurationError, match=rf"named 'hourly'.*those it knows: {known}"):
        drive(steps, client, lambda _report: None)


def test_lines_say_what_to_set_when_people_read_them(
    client: InfluxClient, spec: RollupSpec, delivery: Delivery
) -> None:
    lines: Iterable[str] = report(client, spec, pipelines=(spec.pipeline_name,)).as_lines()
    first, *settings = lines
    assert first.startswith("readings hourly: ")
    assert "of 1,800 points" in first
    assert [line.strip().split(":")[0] for line in settings] == list(NAMES)
    assert all("set lateness=" in line for line in settings)


def test_command_prints_the_report_and_draws_it_when_asked(
    client: InfluxClient,
    spec: RollupSpec,
    delivery: Delivery,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["lateness", "--from", "2025-03-08", "--to", "2025-03-09", "--ledger-bucket", spec.ledger_bucket]
    picture = tmp_path / "lateness.png"
    # the pipeline's setting misses more than 1 % of the points
    assert main([*asked, "--pipeline", "readings*", "--json", "--picture", str(picture)]) == 1
    printed = json.loads(capsys.readouterr().out)
    expected = report(client, spec).as_json()
    assert (printed["rows"], printed["picture"]) == (expected["rows"], str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*asked, "--group-by", "nothing", "--watched-within", "15s"]) == 0
    shown = capsys.readouterr()
    assert "15 windows were first committed" in shown.err
    assert main(asked) == 1
    assert "readings hourly" in capsys.readouterr().out
    assert main([*asked, "--pipeline", "other"]) == 2
