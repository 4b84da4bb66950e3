from __future__ import annotations

import importlib
import json

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.triggers.lifecycle_job import (
    VERBS,
    LifecycleJobTrigger,
    stage_result,
    steps_of_verb,
)

INTERVALS = [{"start": "2026-01-01T00:00:00Z", "stop": "2026-01-01T01:00:00Z"}]
RUN = {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": 2, "map_index": -1}


def test_trigger_is_the_same_when_it_was_stored_and_made_again() -> None:
    trigger = LifecycleJobTrigger("rollup", {"every": "1h"}, INTERVALS, RUN, "tele", org="acme")
    path, kwargs = trigger.serialize()
    stored = json.loads(json.dumps(kwargs))
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**stored)
    assert again.serialize() == (path, stored)
    assert again.job() == {"spec": {"every": "1h"}, "intervals": INTERVALS, "run_info": RUN}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_function_is_found_when_its_verb_is_registered(verb: str) -> None:
    assert callable(steps_of_verb(verb))


@pytest.mark.parametrize(
    "verb", ["", "os:system", "airflow_provider_influx_rollup.lifecycle.rollup.rollup:roll_up"]
)
def test_verb_is_refused_when_it_is_not_registered(verb: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no lifecycle verb.*rollup"):
        steps_of_verb(verb)


def test_stage_result_is_a_plain_dict_when_a_verb_returns_an_object() -> None:
    class Result:
        def as_json(self) -> dict[str, int]:
            return {"rows_in": 3}

    assert stage_result(Result()) == stage_result({"rows_in": 3}) == {"rows_in": 3}
