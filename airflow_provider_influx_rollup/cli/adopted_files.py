"""Texts of the files that declare an adopted task: a DAG, a lifecycle file or a script."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.task_adopt.spec import ROLLUP, SCRIPT

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.flux.script import TaskOption
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.task_adopt.task_adopt import Adoption
    from airflow_provider_influx_rollup.windows.duration import Duration

DAG = '''"""{what}"""

from __future__ import annotations

from datetime import UTC, datetime{more_time}

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import {timetable}
from {module} import {operator}

with DAG(
    {dag_id},
    schedule={schedule},
    start_date=datetime({day}, tzinfo=UTC),
    catchup=False,
    default_args={{"retries": 3}},
):
    {operator}(
{parameters}
    )
'''
DEPLOY_DAG = '''"""{what}"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_influx_rollup.operators.task_deploy import InfluxTaskDeployOperator

with DAG({dag_id}, schedule=None, start_date=datetime({day}, tzinfo=UTC)):
    InfluxTaskDeployOperator(task_id="deploy", flux={file})
'''


def files_of(adoption: Adoption, now: datetime) -> dict[str, str]:
    """Names of files, and their texts.

    :param now: the DAG starts on the day before
    """
    found, declared = adoption.found, adoption.declaration
    slug = re.sub(r"\W+", "_", found.task.name, flags=re.ASCII).strip("_").lower() or "task"
    # a run by hand of an interval before the start has no tasks, and is green
    first = now - timedelta(days=1)
    day = f"{first.year}, {first.month}, {first.day}"
    if declared.form == ROLLUP and declared.rollup is not None:
        parameters = _rollup_parameters(declared.rollup)
        what = f"The rollup that task {found.task.name!r} of InfluxDB computed."
        texts = {f"{slug}.py": _dag(found.option, what, slug, day, {"task_id": "rollup", **parameters})}
        if declared.rollup.target_measurement is None:
            texts[f"{slug}.yaml"] = _lifecycle(declared.rollup, found.option)
        return texts
    file = f"{slug}.flux"
    if declared.form == SCRIPT:
        parameters = {"task_id": "rollup", "flux": file, "target_bucket": declared.target_bucket}
        what = f"The script of task {found.task.name!r} of InfluxDB, which is in {file} beside this DAG."
        return {f"{slug}.py": _dag(found.option, what, slug, day, parameters), file: found.script}
    what = f"Task {found.task.name!r} of InfluxDB, whose script is in {file} beside this DAG."
    dag = DEPLOY_DAG.format(what=_in_docstring(what), dag_id=_literal(slug), day=day, file=_literal(file))
    return {f"{slug}.py": dag, file: found.script}


def _dag(option: TaskOption, what: str, dag_id: str, day: str, parameters: Mapping[str, Any]) -> str:
    cron = option.cron or _cron_of(option.every)
    if cron is not None:
        timetable = "CronDataIntervalTimetable"
        schedule = f'{timetable}({_literal(cron)}, timezone="UTC")'
    else:
        timetable = "DeltaDataIntervalTimetable"
        schedule = f"{timetable}({_timedelta(option.every)})"
    return DAG.format(
        what=_in_docstring(what),
        more_time="" if cron is not None else ", timedelta",
        timetable=timetable,
        module="airflow_provider_influx_rollup.operators.rollup",
        operator="FluxRollupOperator",
        dag_id=_literal(dag_id),
        schedule=schedule,
        day=day,
        parameters="\n".join(f"        {name}={_literal(value)}," for name, value in parameters.items()),
    )


def _literal(value: object) -> str:
    """Texts, lists and mappings of texts are written alike in JSON and Python."""
    return json.dumps(value, ensure_ascii=False)


def _in_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'")


def _rollup_parameters(spec: RollupSpec) -> dict[str, Any]:
    optional = {
        "offset": spec.grid.offset if spec.grid.offset != "0s" else None,
        "fields": list(spec.fields) if spec.fields else None,
        "tags": {key: list(some) for key, some in spec.tags.items()} or None,
        "target_measurement": spec.target_measurement,
        "lateness": spec.lateness if spec.lateness != "0s" else None,
        "ledger_bucket": spec.ledger_bucket if spec.ledger_bucket != DEFAULT_LEDGER_BUCKET else None,
    }
    return {
        "source_bucket": spec.source_bucket,
        "target_bucket": spec.target_bucket,
        "measurement": spec.measurement,
        "every": spec.grid.every,
        "aggregates": list(spec.rules().all_names()),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _lifecycle(spec: RollupSpec, option: TaskOption) -> str:
    """The same as a lifecycle file."""
    import yaml

    given = _rollup_parameters(spec)
    of_tier = ("every", "offset", "aggregates", "lateness")
    tier = {"bucket": given["target_bucket"], **{name: given[name] for name in of_tier if name in given}}
    run_every = {"run_every": option.every.to_flux()} if option.every else {}
    values: dict[str, Any] = {
        "source_bucket": given["source_bucket"],
        "measurement": given["measurement"],
        **{name: given[name] for name in ("fields", "tags", "ledger_bucket") if name in given},
        **run_every,
        "tiers": [tier],
    }
    # a list that stands twice would be written as an alias
    plain = json.loads(json.dumps(values))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return text


def _cron_of(every: Duration | None) -> str | None:
    """The cron that has its times where InfluxDB runs a task of this length; None when there is none."""
    if every is None:
        return None
    if every.months:
        months = {1: "*", 12: "1"}.get(every.months, f"*/{every.months}")
        return f"0 0 1 {months} *" if 12 % every.months == 0 else None
    minutes, rest = divmod(every.nanoseconds, 60_000_000_000)
    if rest or not minutes:
        return None
    if minutes < 60 and 60 % minutes == 0:
        return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
    hours, rest = divmod(minutes, 60)
    if rest == 0 and hours < 24 and 24 % hours == 0:
        return "0 * * * *" if hours == 1 else f"0 */{hours} * * *"
    return {1440: "0 0 * * *", 7 * 1440: "0 0 * * 1"}.get(minutes)


def _timedelta(every: Duration | None) -> str:
    span = every.timedelta if every else timedelta(hours=1)
    return f"timedelta(seconds={span.total_seconds():g})"
