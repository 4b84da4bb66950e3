"""What a task sees when an operator runs without a scheduler, and a trigger without a triggerer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TaskInstance:
    """What a task sees of itself."""

    dag_id: str = "d"
    task_id: str = "task"
    run_id: str = "r"
    try_number: int = 1
    map_index: int = -1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Keep what the task gives to others; 2.11 also says when."""
        self.pushed[key] = value


def make_context(**facts: Any) -> dict[str, Any]:
    """Airflow's context, with a task of its own."""
    return {"ti": TaskInstance(), **facts}


def reborn(trigger: Any) -> Any:
    """A trigger after its trip through Airflow's database to the triggerer."""
    path, arguments = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    again = type(trigger)(**json.loads(json.dumps(arguments)))
    assert json.dumps(again.serialize()) == json.dumps((path, arguments))
    return again


def fire(trigger: Any) -> Any:
    """The payload of a trigger's only event, after its trip back."""
    (payload,) = asyncio.run(asyncio.wait_for(_events(trigger), 60))
    return json.loads(json.dumps(payload))


async def _events(trigger: Any) -> list[Any]:
    return [event.payload async for event in trigger.run()]
