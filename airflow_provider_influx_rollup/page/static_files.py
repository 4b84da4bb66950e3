"""The page's own files: its shell, and what a bundler has built from the sources in the repository."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

MIME_TYPES = {"windows.js": "text/javascript; charset=utf-8", "windows-style.css": "text/css; charset=utf-8"}
HTML = "text/html; charset=utf-8"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
    # the chart library sets styles of its tooltips
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
}


@cache
def file_bytes(name: str) -> bytes:
    """A file of the page.

    :param name: one of ``MIME_TYPES``, or ``"windows.html"``
    """
    return (files("airflow_provider_influx_rollup.page") / "static" / name).read_bytes()


def etag(name: str) -> str:
    """What tells a browser that it has the file already."""
    return f'"{sha256(file_bytes(name)).hexdigest()[:32]}"'
