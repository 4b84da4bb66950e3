"""Tell people of a window that failed, through whatever notifier they use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# not from airflow_compat: only callbacks need them
from airflow.providers.common.compat.sdk import BaseNotifier, context_merge, redact

from airflow_provider_influx_rollup.data_interval import interval_of_run
from airflow_provider_influx_rollup.notifications.messages import MAX_CHARACTERS, failure_of

#: what of a task decides which window it is about
GIVEN_TIMES = ("start", "stop", "window", "partition_key_format", "timezone", "offset")
#: the name of the message in the templates of the notifiers that are called
TEMPLATE_NAME = "window_failure"


def format_window_failure(context: Mapping[str, Any]) -> str:
    """Say what happened, to which window, what was written, what to do, and where the log is, without secrets.

    For any callback: ``on_failure_callback=lambda context: send(format_window_failure(context))``.

    :param context: what Airflow calls back with
    """
    ti = context.get("ti") or context.get("task_instance")
    failure = failure_of(context.get("exception") or context.get("reason") or "no exception was given")
    lines = [_head(context, ti), *failure.lines()]
    window = "" if failure.window else window_text(context)
    if window:
        lines.insert(2, f"Window: {window}")
    for name, value in (
        ("Run", getattr(ti, "run_id", context.get("run_id"))),
        ("Log", getattr(ti, "log_url", None)),
    ):
        if value:
            lines.append(f"{name}: {value}")
    return str(redact("\n".join(lines)))[:MAX_CHARACTERS]


def window_text(context: Mapping[str, Any]) -> str:
    """The interval of the run; empty when it has none.

    :param context: what Airflow calls back with
    """
    task = getattr(context.get("ti"), "task", None) or context.get("task")
    try:
        given = {name: _rendered(task, value, context) for name, value in _given(task).items()}
        timezone, offset = given.pop("timezone") or "UTC", given.pop("offset") or "0s"
        return str(interval_of_run(context, **given, timezone=timezone, offset=offset))
    except Exception:  # noqa: BLE001 - a template of what only the task itself knows: an alarm without a window is better than none
        return ""


def _given(task: Any) -> dict[str, Any]:
    """What a task says of its times; of a mapped one, which Airflow has not taken apart where it was killed, what all its parts share.

    :raises LookupError: when each part has times of its own, or may have
    """
    shared = getattr(task, "partial_kwargs", None)
    if shared is None:
        return {name: getattr(task, name, None) for name in GIVEN_TIMES}
    value = task.expand_input.value
    parts = [value] if isinstance(value, Mapping) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, Mapping) for part in parts):
        raise LookupError
    if any(name in part for part in parts for name in GIVEN_TIMES):
        raise LookupError
    return {name: shared.get(name) for name in GIVEN_TIMES}


def _rendered(task: Any, value: Any, context: Mapping[str, Any]) -> Any:
    """A value of a task; where Airflow calls back for a task that was killed, it has rendered nothing."""
    is_template = isinstance(value, str) and ("{{" in value or "{%" in value)
    return task.render_template(value, context) if is_template else value


def _head(context: Mapping[str, Any], ti: Any) -> str:
    if ti is None:
        return f"DAG {getattr(context.get('dag'), 'dag_id', 'unknown')} failed"
    mapped = f"[{ti.map_index}]" if getattr(ti, "map_index", -1) >= 0 else ""
    return f"{ti.dag_id}.{ti.task_id}{mapped} failed (try {ti.try_number})"


class WindowFailureNotifier(BaseNotifier):
    """Formats a window's failure and hands it to any notifiers or callbacks, which find it in their templates.

    .. code-block:: python

        on_failure_callback = WindowFailureNotifier(
            SlackNotifier(slack_conn_id="slack", channel="#data", text="{{ window_failure }}"),
        )

    The message is in the task's log too. When one of them fails the others are called anyway.

    :param notifiers: called in turn with Airflow's context, in which ``window_failure`` is the message
    """

    def __init__(self, *notifiers: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notifiers = notifiers

    def notify(self, context: Any) -> None:
        """Call the notifiers.

        :param context: what Airflow calls back with
        """
        message = format_window_failure(context)
        self.log.error("%s", message)
        context_merge(context, {TEMPLATE_NAME: message})
        errors: list[Exception] = []
        for notifier in self.notifiers:
            try:
                notifier(context)
            except Exception as error:  # noqa: BLE001 - raised below, when the others have been called
                errors.append(error)
        if errors:
            raise errors[0]
