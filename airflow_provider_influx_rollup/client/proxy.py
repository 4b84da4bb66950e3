"""The URL of an HTTP proxy, which may hold a password: no message shows any part of it."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from airflow_provider_influx_rollup.exceptions import ConfigurationError

FIX = (
    "give it as http://host:port or http://user:password@host:port; in a user or password, write / as %2F, # as %23, "
    "? as %3F, @ as %40 and a space as %20"
)
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    :param url: without user and password
    :param credentials: ``user:password``, decoded; None when there are none
    """

    url: str
    credentials: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, text: str | None) -> Proxy | None:
        """Read a proxy's URL; None when there is none.

        :raises ConfigurationError: when it is no such URL; the message does not show it, for it may hold a password
        """
        if not text:
            return None
        why = _why_impossible(text)
        if why:
            what = f"the URL of the proxy cannot be used: {why}"
            raise ConfigurationError(what, fix=FIX)
        parts = urlsplit(text)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", ""))
        if parts.username is None:
            return cls(bare)
        return cls(bare, f"{unquote(parts.username)}:{unquote(parts.password or '')}")

    @property
    def headers(self) -> dict[str, str] | None:
        """The headers with the proxy's user and password, so that no URL has them; None when there are none."""
        if self.credentials is None:
            return None
        return {"proxy-authorization": f"Basic {b64encode(self.credentials.encode()).decode()}"}


def password_of(text: str | None) -> str | None:
    """The part of a proxy's URL that looks like a password, also in an invalid URL, so that it can be hidden.

    :param text: the URL, or what somebody took for one
    """
    before, at, _ = (text or "").rpartition("@")
    secret = before.partition("://")[2] or before
    return unquote(secret.partition(":")[2]) or None if at else None


def _why_impossible(text: str) -> str | None:
    if UNPRINTABLE.search(text):
        return "it holds a space or a control character"
    if LONE_SURROGATE.search(text):
        return "it holds a character that UTF-8 cannot carry"
    try:
        parts = urlsplit(text)
        return _why_unusable(parts)
    except ValueError:
        return "its host or port is not one"


def _why_unusable(parts: SplitResult) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "it begins with neither http:// nor https://"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "something follows its host and port"
    if not parts.hostname or parts.port == 0:
        return "its host or port is missing"
    return _why_no_location(parts.netloc.rpartition("@")[2])


def _why_no_location(location: str) -> str | None:
    """The objection of the connection's library to ``host:port``."""
    if "%" in location.partition("]")[2 if location.startswith("[") else 0]:
        # the @ and : of a URL that was percent-encoded as a whole: its password is in what looks like the host
        return "its host is percent-encoded"
    from urllib3.exceptions import LocationValueError
    from urllib3.util import parse_url

    try:
        parse_url(f"//{location}")
    except LocationValueError:
        return "its host or port is not one"
    return None
