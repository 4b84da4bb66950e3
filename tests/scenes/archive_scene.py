"""Points that a test makes itself, archives of them, and what the files hold, read without the product."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.oracle import query

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report
    from tests.conftest import InfluxServer

RUN = RunInfo(dag_id="dag", task_id="task", run_id="run", try_number=1)
VERSIONS = {"product": "1"}
START = datetime(2025, 3, 8, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))
#: of WINDOW in an archive
FOLDER = "window=20250308T000000Z_20250308T010000Z"
SUFFIXES = {"integer": "i", "unsigned": "u"}
ARROW_KINDS = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}


@dataclass(frozen=True)
class Point:
    """One value of one field.

    :param kind: ``"float"``, ``"integer"``, ``"unsigned"``, ``"boolean"`` or ``"string"``
    """

    time_ns: int
    tags: tuple[tuple[str, str], ...]
    field: str
    kind: str
    value: Any

    @property
    def line(self) -> bytes:
        """Line protocol, written without the product."""
        tags = "".join(f",{escape(key, ',= ')}={escape(value, ',= ')}" for key, value in sorted(self.tags))
        return f"MEASUREMENT{tags} {escape(self.field, ',= ')}={self._text} {self.time_ns}".encode()

    @property
    def facts(self) -> tuple[Any, ...]:
        """What must come back, floats by their bits."""
        value = struct.pack("<d", self.value) if self.kind == "float" else self.value
        return (self.time_ns, tuple(sorted(self.tags)), self.field, self.kind, value)

    @property
    def _text(self) -> str:
        if self.kind == "string":
            return '"' + escape(self.value, '\\"') + '"'
        if self.kind == "boolean":
            return "true" if self.value else "false"
        return repr(float(self.value)) if self.kind == "float" else f"{self.value}{SUFFIXES[self.kind]}"


def escape(text: str, special: str) -> str:
    """Put a backslash before each special character."""
    return "".join(f"\\{one}" if one in special else one for one in text)


def point(offset_ns: int, tags: Mapping[str, str], name: str, value: Any, kind: str = "") -> Point:
    """A point so long after the window's start; numbers are floats or ints unless the kind says more."""
    kinds = {float: "float", int: "integer", bool: "boolean", str: "string"}
    return Point(
        WINDOW.start_ns + offset_ns, tuple(sorted(tags.items())), name, kind or kinds[type(value)], value
    )


def small_points(count: int = 3) -> list[Point]:
    """Some points of two series and two types."""
    return [
        made
        for number in range(count)
        for made in (
            point(number * 10**9, {"device": "a"}, "temp", 20.5 + number),
            point(number * 10**9, {"device": "b"}, "state", f"ok {number}"),
        )
    ]


@dataclass
class ArchiveScene:
    """A bucket, a ledger and a folder of their own.

    :param clock: what the runs take for now; None for the real clock
    """

    server: InfluxServer
    client: InfluxClient
    base: Path
    bucket: str
    ledger: str
    measurement: str = "m"
    clock: datetime | None = None
    told: list[str] = field(default_factory=list)

    @property
    def store(self) -> ArchiveStore:
        """The folder as the product sees it."""
        return ArchiveStore.of_url(str(self.base))

    @property
    def spec(self) -> ArchiveSpec:
        """What is archived."""
        return ArchiveSpec(
            org=self.server.org,
            bucket=self.bucket,
            measurement=self.measurement,
            shown_path=str(self.base),
            ledger_bucket=self.ledger,
        )

    @property
    def folder(self) -> Path:
        """The folder of the measurement."""
        return self.base / self.spec.folder

    @property
    def parameters(self) -> dict[str, Any]:
        """What the operators about archives share."""
        return {
            "influx_conn_id": "tele",
            "bucket": self.bucket,
            "ledger_bucket": self.ledger,
            "measurement": self.measurement,
            "path": str(self.base),
        }

    def now(self) -> datetime:
        """The clock of the runs."""
        return self.clock or datetime.now(UTC)

    def write(self, points: Iterable[Point]) -> None:
        """Add points to the bucket."""
        name = escape(self.measurement, ", ")
        lines = [one.line.replace(b"MEASUREMENT", name.encode(), 1) for one in points]
        self.client.write_payload(self.bucket, b"\n".join(lines))

    def delete(self, window: Interval = WINDOW) -> None:
        """Delete a window's points, as nobody should."""
        self.client.delete(self.bucket, window, f'_measurement="{self.measurement}"')

    def steps(self, *windows: Interval, **more: Any) -> Any:
        """The verb."""
        return archive(replace(self.spec, **more), windows or (WINDOW,), RUN, self.now, VERSIONS)

    def archive(self, *windows: Interval, client: InfluxClient | None = None, **more: Any) -> dict[str, Any]:
        """Archive as the operator does."""
        steps = self.steps(*windows, **more)
        return dict(drive(steps, client or self.client, self.tell, actions_with(self.store)).as_json())

    def restore_spec(self, **changes: Any) -> RestoreSpec:
        """A restore of the points into their own bucket."""
        org = self.server.org
        made = RestoreSpec(
            org=org,
            source_bucket=self.bucket,
            measurement=self.measurement,
            target_bucket=self.bucket,
            target_org=org,
            shown_path=str(self.base),
            ledger_bucket=self.ledger,
        )
        return replace(made, **changes)

    def tell(self, report: Report) -> None:
        """Keep what is told."""
        self.told.append(report.message)

    def manifests(self, window: Interval = WINDOW) -> dict[int, dict[str, Any]]:
        """The published generations of a window, as any reader finds them."""
        stamps = "_".join(f"{moment:%Y%m%dT%H%M%SZ}" for moment in (window.start, window.stop))
        found = (self.folder / f"window={stamps}").glob("gen=[1-9]/manifest.json")
        return {int(path.parent.name.removeprefix("gen=")): json.loads(path.read_bytes()) for path in found}

    def files(self) -> list[Path]:
        """All files of all windows."""
        return sorted(path for path in self.base.glob("**/window=*/**/*") if path.is_file())

    def stored(self, window: Interval = WINDOW, generation: int = 0) -> list[tuple[Any, ...]]:
        """What a generation holds, sorted; the newest one unless one is named."""
        manifests = self.manifests(window)
        number = generation or max(manifests)
        stamps = "_".join(f"{moment:%Y%m%dT%H%M%SZ}" for moment in (window.start, window.stop))
        folder = self.folder / f"window={stamps}" / f"gen={number}"
        paths = [folder / part["name"] for part in manifests[number]["parts"]]
        return sorted_facts(facts for path in paths for facts in read_facts(path))

    def rows_in_bucket(self) -> int:
        """Values in the bucket, counted without the product."""
        flux = f"""from(bucket: "{self.bucket}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
            |> count() |> group() |> sum()"""
        return sum(
            int(row["_value"]) for row in query(self.server.url, self.server.org, self.server.token, flux)
        )

    def receipts(self) -> dict[str, Any]:
        """Fields of the receipts by window's start, read without the product."""
        flux = f"""from(bucket: "{self.ledger}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "archive")
            |> filter(fn: (r) => r._field == "rows_out" or r._field == "generation")"""
        found: dict[str, Any] = {}
        for row in query(self.server.url, self.server.org, self.server.token, flux):
            found.setdefault(row["_time"], {})[row["_field"]] = int(row["_value"])
        return found


def read_facts(path: Path) -> Iterator[tuple[Any, ...]]:
    """The points of a Parquet file by pyarrow alone; its columns have exactly the types that are promised."""
    table = pq.read_table(path)
    kind = path.name.partition("-")[0]
    *keys, last = table.schema
    assert last.name == "_value"
    assert last.type == ARROW_KINDS[kind]
    assert keys[0].name == "_time"
    assert keys[0].type == pa.timestamp("ns", "UTC")
    assert keys[-1].name == "_field"
    tags = [one.name for one in keys[1:-1]]
    times = table["_time"].cast(pa.int64()).to_pylist()
    values = table["_value"].to_pylist()
    names = table["_field"].to_pylist()
    columns = [table[tag].to_pylist() for tag in tags]
    for number, moment in enumerate(times):
        present = tuple(
            (tag, column[number])
            for tag, column in zip(tags, columns, strict=True)
            if column[number] is not None
        )
        value = struct.pack("<d", values[number]) if kind == "float" else values[number]
        yield (moment, tuple(sorted(present)), names[number], kind, value)


def sorted_facts(facts: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In an order that does not depend on types."""
    return sorted(facts, key=repr)


def facts_of(points: Iterable[Point]) -> list[tuple[Any, ...]]:
    """What an archive of some points must hold."""
    return sorted_facts(one.facts for one in points)


def client_of(server: InfluxServer, url: str = "", **more: Any) -> InfluxClient:
    """A client that gives up soon."""
    wanted = {"deadline_seconds": 0.05, **more}
    return InfluxClient(
        ClientSettings(url=url or server.url, org=server.org, token=lambda _refresh: server.token, **wanted)
    )


def make_archive_scene(server: InfluxServer, client: InfluxClient, base: Path, **more: Any) -> ArchiveScene:
    """Fresh buckets and a fresh folder."""
    suffix = uuid.uuid4().hex[:10]
    scene = ArchiveScene(server, client, base / suffix, f"raw_{suffix}", f"ledger_{suffix}", **more)
    client.ensure_bucket(scene.bucket)
    return scene


@contextmanager
def nothing_published(scene: ArchiveScene) -> Iterator[None]:
    """No reader finds more than before, and no file of the attempt is left."""
    before = scene.files()
    yield
    assert scene.files() == before
