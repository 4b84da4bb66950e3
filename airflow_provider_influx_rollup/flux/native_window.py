"""Give a task of InfluxDB the ``v`` that dashboards have: the window that ends with the run's time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.syntax import script_body, unwrapped, walk
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import EPOCH, to_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_influx_rollup.windows.duration import Duration

OF_A_WINDOW = frozenset({"timeRangeStart", "timeRangeStop", "windowPeriod"})
BEGIN = "// v is the window that ends with the run; written by influx-rollup"
_IMPORTS = ('import _rollupDate "date"', 'import _rollupZone "timezone"')
_OWN_V = re.compile(
    rf"(?:{re.escape(chr(10).join(_IMPORTS))}\n)?{re.escape(BEGIN)}\noption v = \(\(\) => \{{\n.*?\n\}}\)\(\)",
    re.DOTALL,
)


def needs_window(package: Mapping[str, Any]) -> bool:
    """Whether a script reads ``v.timeRangeStart``, ``v.timeRangeStop`` or ``v.windowPeriod``, and does not set ``v``."""
    body = script_body(package)
    if any(_sets_v(statement) for statement in body):
        return False
    members = (node for node in walk(body) if node["type"] == "MemberExpression")
    return any(
        unwrapped(node["object"]).get("name") == "v"
        and node["property"].get("name", node["property"].get("value")) in OF_A_WINDOW
        for node in members
    )


def with_window(script: str, package: Mapping[str, Any], every: Duration, timezone: str = "UTC") -> str:
    """Return the script with an ``option v`` after its imports.

    Its window is the last one of the grid that has ended by ``now()``, which in a run is the time it is scheduled for:
    the one that Airflow would run. No name of the script can get in its way.

    :param package: the server's syntax tree of the script
    :param every: length of the windows
    :param timezone: IANA zone in which days, months and years begin
    :raises ConfigurationError: when the windows are local ones that Flux cannot compute
    """
    imports, value = _window(every, timezone)
    return inserted(script, package, "\n".join((*imports, BEGIN, f"option v = {value}")))


def inserted(script: str, package: Mapping[str, Any], text: str) -> str:
    """Return the script with lines after its imports.

    :param package: the server's syntax tree of the script
    """
    position = _end_of_imports(script, package)
    before, after = script[:position], script[position:]
    return f"{before}\n{text}\n{after}" if before else f"{text}\n\n{after}"


def without_window(script: str) -> str:
    """Return the script as it was before ``with_window``; one that has no such ``v`` as it is."""
    found = _OWN_V.search(script)
    if found is None:
        return script
    before, after = script[: found.start()], script[found.end() :]
    return (
        f"{before.removesuffix(chr(10))}{after.removeprefix(chr(10))}"
        if before
        else after.removeprefix("\n\n")
    )


def _sets_v(statement: Mapping[str, Any]) -> bool:
    assignment = statement.get("assignment", statement)
    return bool((assignment.get("id") or {}).get("name") == "v")


def _end_of_imports(script: str, package: Mapping[str, Any]) -> int:
    """Return where the last import, or the package clause, ends in the text; 0 when there is none."""
    heads: list[Mapping[str, Any]] = []
    for file in package.get("files", []):
        heads += [file["package"]] if file.get("package") else []
        heads += file.get("imports") or []
    if not heads:
        return 0
    end = heads[-1]["location"]["end"]
    lines = script.split("\n")
    # the server counts bytes of a line, from 1
    head = lines[end["line"] - 1].encode()[: end["column"] - 1].decode()
    return sum(len(line) + 1 for line in lines[: end["line"] - 1]) + len(head)


def _window(every: Duration, timezone: str) -> tuple[tuple[str, ...], str]:
    """Return the imports and the record."""
    grid = Grid.of(every, timezone=timezone)
    if not grid.is_calendar:
        return (), _fixed(every, to_ns(grid.floor(EPOCH)))
    is_one_day = every.to_flux() == "1d"
    if not is_one_day and not every.months:
        what = f"tasks of InfluxDB cannot compute windows of {every} in {timezone}"
        fix = "use days, months or years there, timezone='UTC', or FluxRollupOperator, which can"
        raise ConfigurationError(what, written="nothing", fix=fix)
    return (
        _IMPORTS,
        _calendar("1d" if is_one_day else f"{every.months}mo", every, timezone),
    )


def _fixed(every: Duration, anchor_ns: int) -> str:
    """Windows of equal length.

    :param anchor_ns: where one of them begins
    """
    length = every.nanoseconds
    return f"""(() => {{
    at = int(v: now())
    stop = at - ((at - ({anchor_ns})) % {length} + {length}) % {length}

    return {{timeRangeStart: time(v: stop - {length}), timeRangeStop: time(v: stop), windowPeriod: {every.to_flux()}}}
}})()"""


def _calendar(unit: str, every: Duration, timezone: str) -> str:
    """Local days, months or years; the window before begins where the instant before its stop lies."""
    zone = f'_rollupZone.location(name: "{timezone}")'
    return f"""(() => {{
    zone = {zone}
    stop = _rollupDate.truncate(t: now(), unit: {unit}, location: zone)
    start = _rollupDate.truncate(t: _rollupDate.sub(d: 1ns, from: stop), unit: {unit}, location: zone)

    return {{timeRangeStart: start, timeRangeStop: stop, windowPeriod: {every.to_flux()}}}
}})()"""


__all__ = ["inserted", "needs_window", "with_window", "without_window"]
