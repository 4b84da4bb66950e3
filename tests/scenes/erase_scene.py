"""Series of two customers in raw points, archives, tiers and copies; one of them is erased."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.archive.verify import verify_archive
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.oracle import query
from tests.scenes.archive_scene import RUN, VERSIONS, WINDOW, Point, make_archive_scene, point, read_facts
from tests.scenes.purge_scene import ALWAYS, ARCHIVED_AT, DAY, HOUR, PURGED_AT, PurgeScene, Stepper

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from tests.conftest import InfluxServer

CUSTOMER = {"customer": "42"}
ERASED_AT = PURGED_AT + timedelta(days=1)
SALT = b"0123456789abcdef"
NOT_TAGS = ("result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement", "type", "")
HOURS = [Interval(WINDOW.start + timedelta(hours=n), WINDOW.start + timedelta(hours=n + 1)) for n in range(3)]
Row = tuple[int, tuple[tuple[str, str], ...], str, Any]


def points_of(tags: Mapping[str, str], base: float, hours: int = 3) -> list[Point]:
    """Points of a customer's devices in each hour, at both edges too."""
    return [
        made
        for hour in range(hours)
        for made in (
            point(hour * HOUR, {**tags, "device": "a"}, "temp", base + hour),
            point(hour * HOUR + 7, {**tags, "device": "b"}, "temp", base + 0.5 + hour),
            point(hour * HOUR + 8, {**tags, "device": "b"}, "state", f"ok {base}"),
            point((hour + 1) * HOUR - 1, {**tags, "device": "a"}, "temp", base + 0.25),
        )
    ]


def others() -> list[Point]:
    """Points that stay: of other customers, of a longer name, and of none."""
    return [
        *points_of({"customer": "7"}, 10.0),
        *points_of({"customer": "421"}, 20.0, 1),
        *points_of({"site": "42"}, 30.0, 1),
        *points_of({}, 40.0, 2),
    ]


@dataclass
class EraseScene(PurgeScene):
    """Hourly archives and rollups, a day of them, and one that merges all customers.

    :param tags: of the customer who is erased
    """

    tags: dict[str, str] = field(default_factory=lambda: dict(CUSTOMER))

    @property
    def merged(self) -> RollupSpec:
        """All customers together."""
        return replace(self.hourly, pipeline="merged", target_measurement="m_all", group_by=("device",))

    @property
    def erase_spec(self) -> EraseSpec:
        """What is erased."""
        return EraseSpec(archive=self.spec, tags=self.tags)

    def fill(self, *, with_customer: bool = True) -> None:
        """Write, roll up and archive three hours."""
        mine = points_of(self.tags, 1.0) if with_customer else []
        self.add(*mine, *others())
        self.roll_all()
        self.clock = ARCHIVED_AT
        self.archive(*HOURS)

    def roll_all(self) -> None:
        """All tiers."""
        for spec in (self.hourly, self.merged, self.daily):
            self.roll(spec, DAY)

    def erase_steps(self, **changes: Any) -> Any:
        """The verb; changes are those of the spec, ``dry_run``, ``key`` and ``now``."""
        is_dry = changes.pop("dry_run", False)
        now: datetime = changes.pop("now", ERASED_AT)
        by = EraseRun(
            info=changes.pop("run", RUN),
            now=lambda: now,
            versions=VERSIONS,
            salt=SALT,
            key=changes.pop("key", None),
        )
        return erase(replace(self.erase_spec, **changes), by, dry_run=is_dry)

    def erase(self, **changes: Any) -> dict[str, Any]:
        """Erase as the operator does."""
        steps = self.erase_steps(**changes)
        return dict(drive(steps, self.client, self.tell, actions_with(self.store)).as_json())

    def rows(self, bucket: str = "", measurement: str = "") -> set[Row]:
        """All points of a measurement, read without the product."""
        name = (measurement or self.measurement).replace("\\", "\\\\").replace('"', '\\"')
        flux = f'from(bucket: "{bucket or self.bucket}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "{name}")'
        return {
            (
                pd.Timestamp(row["_time"]).value,
                tuple(sorted((key, text) for key, text in row.items() if key not in NOT_TAGS and text)),
                row["_field"],
                row["_value"],
            )
            for row in query(self.server.url, self.server.org, self.server.token, flux)
        }

    def all_parquet(self) -> list[Path]:
        """Every Parquet file below the folder, whoever wrote it."""
        return sorted(self.base.rglob("*.parquet"))

    def customers_in_files(self) -> int:
        """Points of the customer in any Parquet file."""
        wanted = set(self.tags.items())
        return sum(wanted <= set(facts[1]) for path in self.all_parquet() for facts in read_facts(path))

    def files_with(self, *texts: str) -> list[str]:
        """Parquet files that hold one of the texts, in a row or not."""
        found = []
        for path in self.all_parquet():
            keys = [name for name in pq.read_schema(path).names if name not in ("_time", "_value")]
            with pq.ParquetFile(path, read_dictionary=keys) as file:
                groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
            chunks = [chunk for group in groups for key in keys for chunk in group[key].chunks]
            words = {text for chunk in chunks for text in chunk.dictionary.to_pylist()}
            data = path.read_bytes()
            if any(text in words or text.encode() in data for text in texts):
                found.append(str(path))
        return found

    def values_in_documents(self, *texts: str) -> list[str]:
        """Documents beside the archive that hold one of the texts."""
        documents = [path for path in self.base.rglob("*.json") if path.is_file()]
        return [str(path) for path in documents if any(text in path.read_text() for text in texts)]

    def receipt_rows(self, pipeline: str) -> dict[str, dict[str, Any]]:
        """What the receipts of a pipeline say, by window's start, without who wrote them."""
        flux = f"""from(bucket: "{self.ledger}") |> {ALWAYS}
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{pipeline}" and r.stage == "rollup")
            |> map(fn: (r) => ({{_time: r._time, _field: r._field, _value: string(v: r._value)}}))"""
        wanted = ("state", "rows_in", "rows_out", "series", "checksum")
        found: dict[str, dict[str, Any]] = {}
        for row in query(self.server.url, self.server.org, self.server.token, flux):
            if row["_field"] in wanted:
                found.setdefault(row["_time"], {})[row["_field"]] = row["_value"]
        return found

    def verified(self) -> list[str]:
        """What is wrong with the files of the archive, as the product finds."""
        steps = verify_archive(self.spec.folder)
        checked = drive(steps, self.client, self.tell, actions_with(self.store))
        return [one.problem for one in checked if one.problem]

    def erase_certificates(self) -> list[dict[str, Any]]:
        """Those of erasures."""
        return [one for one in self.certificates() if one["kind"] == "erase"]

    def pending(self) -> list[Path]:
        """Documents of erasures that go on."""
        return sorted(self.folder.glob("erasures/*.json"))


def without(rows: Iterable[Row], tags: Mapping[str, str]) -> set[Row]:
    """The rows that do not have all the tags."""
    wanted = set(tags.items())
    return {row for row in rows if not wanted <= set(row[1])}


def make_erase_scene(server: InfluxServer, client: InfluxClient, base: Path, **more: Any) -> EraseScene:
    """Fresh buckets and a fresh folder, empty."""
    made = make_archive_scene(server, client, base)
    scene = EraseScene(
        server, client, made.base, made.bucket, made.ledger, rolled=f"{made.bucket}_rolled", **more
    )
    client.ensure_bucket(scene.rolled)
    return scene


def make_filled_scene(
    server: InfluxServer, client: InfluxClient, base: Path, *, with_customer: bool = True
) -> EraseScene:
    """Three hours of all customers.

    :param with_customer: False for a world where the customer who is erased has never been
    """
    scene = make_erase_scene(server, client, base)
    scene.fill(with_customer=with_customer)
    return scene


def read_json(path: Path) -> dict[str, Any]:
    """A document."""
    return dict(json.loads(path.read_bytes()))


class Going(Stepper):
    """Acts steps out one by one, as the driver does: what goes wrong in a step is the verb's to handle."""

    def advance(self) -> bool:
        """Act the next step out; False when the verb has ended."""
        step = self.pending
        if step is None or isinstance(step, Report):
            return super().advance()
        try:
            answer = act(step, self.scene.client, self._actions)
        except InfluxRollupError as error:
            return self._next(partial(self.steps.throw, error))
        return self._next(partial(self.steps.send, answer))

    def answer_last(self, kind: type[Any], meanwhile: Callable[[], object]) -> None:
        """Act a Gather out, its steps of a kind last, and something else before those."""
        assert isinstance(self.pending, Gather)
        steps = self.pending.steps
        answers: dict[int, Any] = {}
        for is_last in (False, True):
            if is_last:
                meanwhile()
            for number, step in enumerate(steps):
                if isinstance(step, kind) is is_last:
                    answers[number] = act(step, self.scene.client, self._actions)
        self._next(partial(self.steps.send, [answers[number] for number in range(len(steps))]))
