"""Examine this machine for ``doctor``: versions and the time zone database."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity

# a spring and a far summer, with the hours that their clocks are ahead of UTC
KNOWN_OFFSETS = (
    ("Europe/Berlin", datetime(2025, 3, 30, 1, tzinfo=UTC), 2.0),
    ("Australia/Lord_Howe", datetime(2025, 7, 1, tzinfo=UTC), 10.5),
    ("America/New_York", datetime(2045, 7, 1, tzinfo=UTC), -4.0),
    ("America/Sao_Paulo", datetime(2018, 12, 1, tzinfo=UTC), -2.0),
)


def examine_machine() -> list[Finding]:
    """Versions, and whether clock changes are known here."""
    return [_check_airflow(_installed("apache-airflow")), check_zones(_installed("tzdata"))]


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _check_airflow(airflow: str | None) -> Finding:
    ours = f"airflow-provider-influx-rollup {__version__}, Python {platform.python_version()}"
    if airflow is None:
        return Finding("versions", Severity.OK, f"{ours}, no Airflow here")
    text = f"{ours}, Airflow {airflow}"
    if is_supported(airflow):
        return Finding("versions", Severity.OK, text)
    return Finding("versions", Severity.FAIL, text, "use Airflow 2.11, or 3.1 and later")


def is_supported(airflow: str) -> bool:
    """Whether the provider runs on a version of Airflow.

    :param airflow: such as ``2.11.2``
    """
    major, minor = (int(part) for part in airflow.split(".")[:2])
    return (major, minor) >= (3, 1) if major == 3 else major == 2 and minor >= 11


def check_zones(tzdata: str | None) -> Finding:
    """Compare a few clock changes with what the zone database says.

    :param tzdata: version of the package, which is used where the system has no zones
    """
    source = f"the zone database (tzdata package: {tzdata or 'none'})"
    for name, instant, hours in KNOWN_OFFSETS:
        try:
            offset = instant.astimezone(ZoneInfo(name)).utcoffset()
        except (ZoneInfoNotFoundError, OSError):
            return Finding("time zones", Severity.FAIL, f"{source} does not have {name}", "install tzdata")
        if offset is None or offset.total_seconds() != hours * 3600:
            text = f"{source} is wrong about {name} at {instant:%Y-%m-%d}"
            return Finding(
                "time zones", Severity.FAIL, text, "update the system's tzdata, or the tzdata package"
            )
    return Finding("time zones", Severity.OK, f"{source} knows past and future clock changes")
