"""A run that hangs before one of its steps, while the source changes and another run does the same window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Report, Sleep
from tests.oracle import query
from tests.scenes.rollup_runs import Place, interval

HOUR = interval("2025-03-08T00:00", "2025-03-08T01:00")
NEXT = interval("2025-03-08T01:00", "2025-03-08T02:00")
# longer than a heal waits for a run that is WRITING
HUNG = timedelta(minutes=16)
WINDOW = f"range(start: {HOUR.start.isoformat()}, stop: {HOUR.stop.isoformat()})"
AGGREGATES = ("count", "sum", "max")
NUMBERS = count()


@dataclass
class Clock:
    """A clock that every look moves on."""

    time: datetime = datetime(2025, 3, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time


@dataclass
class Hanging:
    """A run that is acted out step by step.

    :param waits: what a wait does
    :param pending: the next step; None when it has ended
    """

    client: InfluxClient
    steps: Any
    waits: Callable[[timedelta], None]
    pending: Any = None
    seen: list[str] = field(default_factory=list)
    error: InfluxRollupError | None = None

    def __post_init__(self) -> None:
        self._on(lambda: next(self.steps))

    def _on(self, step: Callable[[], Any]) -> None:
        self.pending = None
        try:
            self.pending = step()
        except StopIteration:
            return
        except InfluxRollupError as error:
            self.error = error
            return
        self.seen.append(type(self.pending).__name__)

    def advance(self) -> bool:
        """Act the next step out; False when there is none."""
        step = self.pending
        if step is None:
            return False
        if isinstance(step, Sleep):
            self.waits(timedelta(seconds=step.seconds))
        try:
            answer = None if isinstance(step, Report | Sleep) else act(step, self.client)
        except InfluxRollupError as caught:
            error = caught
            self._on(lambda: self.steps.throw(error))
        else:
            self._on(lambda: self.steps.send(answer))
        return True

    def advance_to(self, steps: int) -> bool:
        """Act some steps out; whether another one follows."""
        return all(self.advance() for _ in range(steps)) and self.pending is not None

    def finish(self) -> None:
        """Act the rest out."""
        while self.advance():
            pass


@dataclass
class HungScene:
    """A measurement with one window that two runs do.

    :param kind: how the source changes: a point comes (``new``), a value is replaced (``over``), or a point goes and
        another one comes (``swap``), which the number of points does not show
    """

    client: InfluxClient
    place: Place
    kind: str
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.place = replace(self.place, measurement=f"hung_{next(NUMBERS)}")
        self.spec = self.place.spec("1h", AGGREGATES, fields=("temp",), pipeline=self.place.measurement)
        self.write([f"device={name} temp={k}.5 {HOUR.start_ns + k}" for k, name in enumerate("aab")])
        self.write([f"device=a temp=1 {NEXT.start_ns}"])

    def write(self, lines: Iterable[str]) -> None:
        """Write points of the measurement."""
        self.client.write_lines(self.place.source, [f"{self.place.measurement},{line}" for line in lines])

    def change(self) -> None:
        """Change the source, and let the time go by in which others wait for a run."""
        self.clock.time += HUNG
        if self.kind == "new":
            self.write([f"device=late temp=1.5 {HOUR.start_ns + 100}"])
        elif self.kind == "over":
            self.write([f"device=a temp=9.25 {HOUR.start_ns}"])
        else:
            self.client.delete(
                self.place.source, HOUR, f'_measurement="{self.place.measurement}" AND device="b"'
            )
            self.write([f"device=c temp=1.5 {HOUR.start_ns + 5}"])

    def hanging(self, verb: str, name: str) -> Hanging:
        """A run of the window, or one of the next window that heals it."""
        run = RunInfo(dag_id="dag", task_id="task", run_id=name, try_number=1)
        steps: Any
        if verb == "heal":
            steps = roll_up(self.spec, NEXT, run, self.clock, options=RollupOptions(heal="1d"))
        else:
            steps = (roll_up if verb == "rollup" else reconcile)(self.spec, HOUR, run, self.clock)
        return Hanging(self.client, steps, self._wait)

    def _wait(self, span: timedelta) -> None:
        self.clock.time += span

    def run(self, verb: str, name: str) -> None:
        """A whole run."""
        run = self.hanging(verb, name)
        run.finish()
        if run.error is not None:
            raise run.error

    def rows(self) -> dict[tuple[str, str], Any]:
        """What the target has of the window, by device and field."""
        found = self._read(self.place.target, self.place.measurement)
        return {(row["device"], row["_field"]): row["_value"] for row in found}

    def expected(self) -> dict[tuple[str, str], Any]:
        """What the source's points give now."""
        values: dict[str, list[float]] = {}
        for row in self._read(self.place.source, self.place.measurement):
            values.setdefault(row["device"], []).append(row["_value"])
        made: dict[tuple[str, str], Any] = {}
        for device, some in values.items():
            made |= {(device, "temp_count"): len(some), (device, "temp_sum"): sum(some)}
            made[device, "temp_max"] = max(some)
        return made

    def is_committed(self) -> bool:
        """Whether the window counts as COMMITTED, by what the ledger holds and its page says."""
        fields = self.receipt()
        return bool(fields["state"] == "COMMITTED" and fields["claimed_by"] == fields["committed_by"])

    def receipt(self) -> dict[str, Any]:
        """The fields of the window's receipt."""
        return {row["_field"]: row["_value"] for row in self._records("window_receipt", WINDOW)}

    def is_right(self) -> bool:
        """Whether the window's rows are what the source gives."""
        return self.rows() == self.expected()

    def has_committed(self, run: str) -> bool:
        """Whether a run has committed the window, by the ledger's history."""
        events: dict[int, dict[str, Any]] = {}
        for row in self._records("window_event", "range(start: 0)"):
            events.setdefault(row["_time"], {})[row["_field"]] = row["_value"]
        of_window = [one for one in events.values() if one["window_start_ns"] == HOUR.start_ns]
        return any((one["run_id"], one["state"]) == (run, "COMMITTED") for one in of_window)

    def _records(self, kind: str, span: str) -> list[Any]:
        return self._read(self.place.ledger, kind, span, f' and r.pipeline == "{self.place.measurement}"')

    def _read(self, bucket: str, measurement: str, span: str = WINDOW, more: str = "") -> list[Any]:
        server = self.place.server
        is_asked = f'r._measurement == "{measurement}"{more}'
        flux = f'from(bucket: "{bucket}") |> {span} |> filter(fn: (r) => {is_asked})'
        return query(server.url, server.org, server.token, flux)
