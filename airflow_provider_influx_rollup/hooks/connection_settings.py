"""Fields of an Airflow connection -> client settings. No network, no Airflow calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.settings import RollupSettings

#: extras this package understands; the official ``influxdb`` type keeps its token in the extras too
KNOWN_EXTRAS = (
    "org",
    "verify_ssl",
    "ssl_ca_cert",
    "proxy",
    "connect_timeout_seconds",
    "read_timeout_seconds",
    "gzip",
    "pool_size",
    "deadline_seconds",
    "max_query_seconds",
    "max_query_rows",
    "dashboard",
)
#: what InfluxDB's ids look like
_ID = re.compile("[0-9a-f]{16}")
_OFFICIAL_EXTRAS = ("token", "org_name")
_OFFICIAL_TYPE = "influxdb"
#: what stands for true and false in texts, such as those of a URI
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ConnectionFields(Protocol):
    """The part of an Airflow connection that is read; the same on both versions."""

    conn_type: Any
    host: Any
    port: Any
    schema: Any
    password: Any
    extra: Any

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extras as a dict."""


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionReading:
    """One reading of a connection.

    :param conn_id: its id, for messages
    :param fields: the connection
    :param extras: its extras, without form prefixes and without empty values
    """

    conn_id: str
    fields: ConnectionFields
    extras: Mapping[str, Any]

    @classmethod
    def of(cls, conn_id: str, fields: ConnectionFields) -> ConnectionReading:
        """Read the fields of a connection.

        :param conn_id: its id, for messages
        :param fields: the connection
        :raises ConfigurationError: when its extras are no JSON object; they are not repeated, as they may hold a secret
        """
        extras = {}
        for name, value in _object_of(conn_id, fields).items():
            # older forms store extra__<type>__<name>; a form also stores "" for what was left empty
            if value not in (None, ""):
                extras[name.rsplit("__", 1)[-1] if name.startswith("extra__") else name] = value
        return cls(conn_id, fields, extras)

    def token(self) -> str:
        """The token: the password, or the extra ``token`` of the official connection type.

        :raises ConfigurationError: when there is none
        """
        token = self.fields.password or self.extras.get("token")
        if not token:
            self._refuse_missing("token", "put the token into the password field")
        return str(token).strip()

    def org(self, override: str | None = None) -> str:
        """The organisation's name.

        :param override: wins over the connection's
        :raises ConfigurationError: when there is none
        """
        org = override or self.extras.get("org") or self.extras.get("org_name")
        if not org:
            self._refuse_missing("org", 'put {"org": "<name>"} into the extras, or give org= to the operator')
        return str(org)

    def url(self) -> str:
        """``scheme://host:port[/path]`` of the server; ``host`` may hold a full URL.

        :raises ConfigurationError: when the host is missing, or the URL is not http(s) or has a password
        """
        host = str(self.fields.host or "").strip().rstrip("/")
        if not host:
            self._refuse_missing("host", "put the server's host name or URL into the host field")
        try:
            return self._checked_url(host) if "://" in host else self._joined_url(host)
        except ValueError:
            what = f'host of connection "{self.conn_id}" is no host name or URL'
            raise ConfigurationError(
                what, fix="give a host name, or a URL such as http://localhost:8086"
            ) from None

    def unknown_extras(self) -> list[str]:
        """Names of extras that are not understood, and therefore not used."""
        return sorted(set(self.extras) - set(KNOWN_EXTRAS) - set(_OFFICIAL_EXTRAS))

    def boolean(self, name: str, default: bool) -> bool:
        """An extra that is true or false.

        :param name: the extra
        :param default: where it is absent
        :raises ConfigurationError: when it is neither
        """
        value = self.extras.get(name, default)
        if isinstance(value, bool):
            return value
        word = WORDS.get(str(value).strip().lower())
        if word is None:
            self._refuse(name, value, "true or false")
        return word

    def positive(self, name: str, default: float) -> float:
        """An extra that is a number above 0.

        :param name: the extra
        :param default: where it is absent
        :raises ConfigurationError: when it is not a positive number
        """
        value = self.extras.get(name, default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = 0.0
        if not 0 < number < float("inf"):
            self._refuse(name, value, "a number above 0")
        return number

    def limit(self, name: str, default: float) -> float | None:
        """An extra that is a number above 0, or 0 for no limit.

        :param name: the extra
        :param default: where it is absent
        :return: None for no limit
        :raises ConfigurationError: when it is not a positive number
        """
        if self.extras.get(name, default) in (0, "0"):
            return None
        return self.positive(name, default)

    def text(self, name: str) -> str | None:
        """An extra that is text, or None.

        :param name: the extra
        """
        value = self.extras.get(name)
        return None if value is None else str(value)

    def dashboard(self) -> str | None:
        """The id of the dashboard that links of tasks open; None when there is none.

        :raises ConfigurationError: when it is no id, such as a dashboard's name
        """
        dashboard = self.text("dashboard")
        if dashboard is not None and _ID.fullmatch(dashboard.strip()) is None:
            self._refuse(
                "dashboard", dashboard, "an id of 16 hexadecimal digits, as it is in the dashboard's address"
            )
        return dashboard and dashboard.strip()

    def _checked_url(self, host: str) -> str:
        parts = urlsplit(host)
        if parts.username or parts.password:
            what = f'the host of connection "{self.conn_id}" has a user or password in its URL'
            raise ConfigurationError(what, fix="keep only the token, in the password field")
        if parts.scheme not in ("http", "https"):
            self._refuse("host", parts.scheme + "://...", "http or https")
        if not parts.hostname:
            self._refuse_missing("host", "give a URL such as http://localhost:8086")
        return _with_port(parts, self.fields.port)

    def _joined_url(self, host: str) -> str:
        is_official = self.fields.conn_type == _OFFICIAL_TYPE
        # the official hook's own defaults of 2.11.1 and later, so that a connection that works there means the same here
        scheme = str(self.fields.schema or ("https" if is_official else "http")).strip().lower()
        if scheme not in ("http", "https"):
            self._refuse("schema", scheme, "http or https")
        port = self.fields.port or (443 if is_official and scheme == "https" else 8086)
        name, _, path = host.partition("/")
        if name.count(":") > 1 and not name.startswith("["):
            name = f"[{name}]"
        return _with_port(urlsplit(f"{scheme}://{name}{'/' if path else ''}{path}"), port)

    def _refuse_missing(self, field: str, fix: str) -> NoReturn:
        what = f'connection "{self.conn_id}" has no {field}'
        if not self.fields.conn_type:
            # no scheme of a URI has an underscore, so that Airflow reads nothing of such a one
            what += " and no type"
            fix = f"write a URI with a hyphen, influx-rollup://, and where it is no URI, {fix}"
        raise ConfigurationError(what, fix=fix)

    def _refuse(self, field: str, value: object, wanted: str) -> NoReturn:
        what = f'{field} of connection "{self.conn_id}" is {value!r}, not {wanted}'
        raise ConfigurationError(what, fix=f"set {field} to {wanted}")


def client_settings(
    reading: ConnectionReading,
    *,
    org: str | None,
    token: Callable[[bool], str],
    defaults: RollupSettings,
) -> ClientSettings:
    """Settings of a client for a connection; extras win over the section ``[influx_rollup]``.

    :param reading: the connection
    :param org: wins over the connection's organisation
    :param token: gives the token; called with True to read the connection again
    :param defaults: the section's values
    :raises ConfigurationError: when a field is missing or wrong; the message names it
    """
    return ClientSettings(
        url=reading.url(),
        org=reading.org(org),
        token=token,
        verify_ssl=reading.boolean("verify_ssl", True),
        ssl_ca_cert=reading.text("ssl_ca_cert"),
        proxy=reading.text("proxy"),
        connect_timeout_seconds=reading.positive("connect_timeout_seconds", defaults.connect_timeout_seconds),
        read_timeout_seconds=reading.positive("read_timeout_seconds", defaults.read_timeout_seconds),
        gzip=reading.boolean("gzip", True) if "gzip" in reading.extras else None,
        pool_size=max(1, int(reading.positive("pool_size", defaults.pool_size))),
        deadline_seconds=reading.positive("deadline_seconds", defaults.deadline_seconds),
        max_query_seconds=reading.limit("max_query_seconds", defaults.max_query_seconds),
        max_query_rows=_whole(reading.limit("max_query_rows", defaults.max_query_rows)),
        profiles_queries=defaults.profile_queries,
    )


def _object_of(conn_id: str, fields: ConnectionFields) -> Mapping[str, Any]:
    # Airflow takes what it cannot read for no extras at all
    try:
        found = json.loads(fields.extra) if fields.extra else {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        what = f'the extras of connection "{conn_id}" are no JSON object'
        raise ConfigurationError(what, fix='write them as {"org": "<name>"}')
    return fields.extra_dejson or {}


def _whole(limit: float | None) -> int | None:
    return None if limit is None else int(limit)


def _with_port(parts: SplitResult, port: int | str | None) -> str:
    netloc = parts.netloc if parts.port or not port else f"{parts.netloc}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
