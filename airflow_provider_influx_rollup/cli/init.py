"""Look at a bucket and write a lifecycle file and a DAG for all its measurements. What is there already is never overwritten."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection
from airflow_provider_influx_rollup.cli.new_files import require_new, write_new
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.shown import few

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "look at a bucket, and write a lifecycle file and a DAG"
NUMBERS = ("count", "sum", "min", "max", "last")
OTHERS = ("count", "last")
MOST_NAMED = 5
#: length of a window, and how long its rows are kept
TIERS = (("5m", "90d"), ("1h", "730d"), ("1d", None))

DAG = '''"""The lifecycle of bucket {bucket}, declared in {file} beside this DAG."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow_provider_influx_rollup.task_groups.lifecycle import Lifecycle, lifecycle_task_group

with DAG(
    {dag_id!r},
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime({day}, tzinfo=UTC),
    catchup=False,
    default_args={{"retries": 3}},
):
    lifecycle_task_group(Lifecycle.from_yaml(Path(__file__).with_name({file!r})))
'''


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--bucket", required=True, help="the bucket of the raw points")
    parser.add_argument(
        "--folder",
        default=".",
        metavar="PATH",
        help="where to write both files, made when it is missing; default: here",
    )
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Write both files, and say what to do next.

    :raises ConfigurationError: when the bucket has no points, or a file is there already
    """
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.shown import counted

    name = re.sub(r"\W+", "_", args.bucket, flags=re.ASCII).strip("_") or "telemetry"
    file, dag_file = Path(args.folder, f"{name}.yaml"), Path(args.folder, f"{name}_lifecycle.py")
    require_new(file, dag_file)
    with connect(args, output) as server:
        now = server.client.now()
        text, measurements, notes = _lifecycle(server, args.bucket)
    write_new(file, text)
    Lifecycle.from_yaml(file)
    # a run by hand of an interval before it has no tasks, and is green
    first = now - timedelta(days=1)
    dag = DAG.format(
        bucket=args.bucket,
        file=file.name,
        dag_id=f"{name}_lifecycle",
        day=f"{first.year}, {first.month}, {first.day}",
    )
    write_new(dag_file, dag)
    output.show(
        f"{counted(len(measurements), 'measurement')} of bucket {args.bucket!r}: {few(measurements, 10, between=', ')}",
        f"written: {file} and {dag_file}",
        f"next: influx-rollup run {file} --last 1d",
    )
    for note in notes:
        output.note(note)
    answer = {
        "lifecycle": str(file),
        "dag": str(dag_file),
        "measurements": measurements,
        "notes": notes,
    }
    return output.finish(args.command, RIGHT, answer)


def _lifecycle(server: Server, bucket: str) -> tuple[str, list[str], list[str]]:
    """The text of the file, the measurements that it has, and what is left out of it and why."""
    from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
    from airflow_provider_influx_rollup.flux.field_samples import FieldSamples
    from airflow_provider_influx_rollup.flux.first_points import FirstPoints
    from airflow_provider_influx_rollup.steps.ask import ask
    from airflow_provider_influx_rollup.windows.all_time import EVER

    found = server.client.find_bucket(bucket)
    if found is None:
        what = f"bucket {bucket!r} does not exist, or the token may not read it"
        raise BucketNotFound(
            what, written="nothing", fix="correct --bucket, or give the token the permission"
        )
    firsts = server.drive(ask(FirstPoints(bucket, EVER)))
    there = sorted(firsts)
    measurements = [one for one in there if is_plain(one)]
    notes = [
        f"measurement {one!r} is left out: a DAG would take its name for a template"
        for one in there
        if one not in measurements
    ]
    if not measurements:
        what = f"bucket {bucket!r} has no points" + (", but of names that are templates" if notes else "")
        raise ConfigurationError(what, written="nothing", fix="name the bucket where points arrive")
    fields = {one: server.drive(ask(FieldSamples(bucket, one))) for one in measurements}
    texts = sorted({name for found in fields.values() for name, value in found.items() if _is_text(value)})
    notes += _of_two_kinds(fields, texts)
    values = _declared(bucket, found.retention_seconds, measurements, texts, server.ledger_bucket)
    return _as_yaml(values), measurements, notes


def _is_text(value: object) -> bool:
    return isinstance(value, str | bool)


def _of_two_kinds(fields: Mapping[str, Mapping[str, object]], texts: Iterable[str]) -> list[str]:
    """Fields that are numbers in some measurements and none in others: aggregates are declared for all of them."""
    notes = []
    for name in texts:
        numbers = [one for one, found in fields.items() if name in found and not _is_text(found[name])]
        others = [one for one, found in fields.items() if name in found and _is_text(found[name])]
        if numbers:
            notes.append(
                f"field {name!r} is a number in {few(numbers, MOST_NAMED, between=', ')} and none in "
                f"{few(others, MOST_NAMED, between=', ')}, so that all of them get {', '.join(OTHERS)} of it; "
                "for more aggregates of the numbers give them a file of their own"
            )
    return notes


def _declared(
    bucket: str, retention_seconds: int, measurements: list[str], texts: Iterable[str], ledger: str
) -> dict[str, Any]:
    """The parameters of the lifecycle; fields that are no numbers get the aggregates that those have."""
    from airflow_provider_influx_rollup.windows.duration import Duration

    of_texts = {name: list(OTHERS) for name in texts}
    kept_for = Duration.of(timedelta(seconds=retention_seconds), allow_zero=True).to_flux()
    retention = {"retention": kept_for} if retention_seconds else {}
    tiers: list[dict[str, Any]] = []
    for every, kept in TIERS:
        tier: dict[str, Any] = {"bucket": f"{bucket}_{every}", "every": every, "name": f"{bucket}_{every}"}
        tiers.append(tier | ({"retention": kept} if kept else {}))
    tiers[0] |= {"lateness": "1m", "aggregates": {**of_texts, "*": list(NUMBERS)}}
    tiers[-1] |= {"aggregates": {**of_texts, "*": [*NUMBERS, "mean"]}}
    made = [
        {"name": tier["bucket"], **({"retention": tier["retention"]} if "retention" in tier else {})}
        for tier in tiers
    ]
    return {
        "source_bucket": bucket,
        "measurement": measurements,
        **retention,
        "ledger_bucket": ledger,
        "tiers": tiers,
        "heal": "1d",
        "buckets": [*made, {"name": ledger}],
    }


def _as_yaml(values: Mapping[str, Any]) -> str:
    import yaml

    # a list that stands twice would be written as an alias
    plain = json.loads(json.dumps(values))
    body = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    head = "# yaml-language-server: $schema=lifecycle.schema.json\n# influx-rollup schema > lifecycle.schema.json\n"
    return f"{head}{body}"
