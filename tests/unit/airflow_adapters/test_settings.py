from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.get_provider_info import get_provider_info
from airflow_provider_influx_rollup.settings import (
    RollupSettings,
    default_deferrable,
    page_connections,
    read_settings,
    takes_bare_words,
)


def test_settings_are_the_defaults_when_the_section_is_absent() -> None:
    assert read_settings() == RollupSettings()


def test_settings_follow_the_environment_when_it_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__LEDGER_BUCKET", "receipts")
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__POOL_SIZE", "3")
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__DEADLINE_SECONDS", "2.5")
    settings = read_settings()
    assert (settings.ledger_bucket, settings.pool_size, settings.deadline_seconds) == ("receipts", 3, 2.5)


def test_wrong_type_is_refused_by_name_when_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INFLUX_ROLLUP__POOL_SIZE", "many")
    with pytest.raises(Exception, match="pool_size"):
        read_settings()


@pytest.mark.parametrize(
    ("own", "airflows", "wanted"),
    [
        (None, None, False),
        (None, "True", True),
        ("False", "True", False),
        ("True", "False", True),
    ],
)
def test_deferrable_is_airflows_default_when_the_section_does_not_say(
    monkeypatch: pytest.MonkeyPatch, own: str | None, airflows: str | None, wanted: bool
) -> None:
    for name, value in (
        ("AIRFLOW__INFLUX_ROLLUP__DEFAULT_DEFERRABLE", own),
        ("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", airflows),
    ):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert default_deferrable() is wanted


def test_documented_defaults_are_the_real_ones_when_nothing_is_set() -> None:
    options = get_provider_info()["config"]["influx_rollup"]["options"]
    documented = {name: option["default"] for name, option in options.items()}
    assert (documented.pop("default_deferrable"), documented.pop("environment")) == (None, None)
    assert (documented.pop("bare_flux_values"), takes_bare_words()) == ("refuse", False)
    assert (documented.pop("page_connections"), page_connections()) == (None, [])
    real = {name: str(getattr(RollupSettings(), name)) for name in RollupSettings.__slots__}
    assert documented == real
