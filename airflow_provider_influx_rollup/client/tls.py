"""Explain errors of certificates and their fixes; none of them passes by waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.settings import ClientSettings

USE_ITS_NAME = "use the host name that the certificate was made for as the connection's host"
# urllib3 1.26 compares the names itself, after OpenSSL has found the certificate good
OF_ANOTHER_HOST = ("' doesn't match ", "no appropriate commonName or subjectAltName")
# what OpenSSL says, and what helps; the first that fits
CURES = (
    *((said, USE_ITS_NAME) for said in ("mismatch", "certificate is not valid for", *OF_ANOTHER_HOST)),
    ("has expired", "renew the server's certificate"),
    ("not yet valid", "set this machine's clock, or wait until the certificate is valid"),
    ("", "set ssl_ca_cert to the file of the authority that signed it"),
)
NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "wrong version number",
    "record layer failure",
    "HTTP_REQUEST",
    "http request",
)


def require_readable_authorities(settings: ClientSettings) -> None:
    """Read the file of trusted certificates once, before any request needs it.

    :raises ConfigurationError: when ``ssl_ca_cert`` names no file of certificates
    """
    if not settings.ssl_ca_cert or not settings.url.startswith("https:"):
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(settings.ssl_ca_cert)
    except (OSError, ValueError) as error:
        what = f"ssl_ca_cert={settings.ssl_ca_cert!r} cannot be used: {error}"
        fix = "set ssl_ca_cert to a PEM file of the authority's certificate that this worker can read"
        raise ConfigurationError(what, fix=fix) from error


def error_of_tls(url: str, text: str) -> ConfigurationError | None:
    """The error of a connection whose TLS is set up wrongly; None for everything else.

    :param text: what the connection failed with
    """
    if any(said in text for said in ("CERTIFICATE_VERIFY_FAILED", *OF_ANOTHER_HOST)):
        what = f"the certificate of {url} is not trusted: {text}"
        return ConfigurationError(what, fix=next(cure for said, cure in CURES if said in text))
    if url.startswith("https:") and any(said in text for said in NO_TLS):
        what = f"{url} does not speak TLS on this port: {text}"
        return ConfigurationError(what, fix="use http, or the port of the server that speaks TLS")
    return None
