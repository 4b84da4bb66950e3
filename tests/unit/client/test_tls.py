"""What connections fail with when TLS is set up wrongly, in the words of the versions of urllib3 and OpenSSL."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.tls import error_of_tls

VERIFY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (f"{VERIFY}: Hostname mismatch, certificate is not valid for 'h'.", "use the host name"),
        (f"{VERIFY}: IP address mismatch, certificate is not valid for '127.0.0.1'.", "use the host name"),
        ("hostname 'localhost' doesn't match 'elsewhere.example'", "use the host name"),
        ("hostname '127.0.0.1' doesn't match either of 'a.example', 'b.example'", "use the host name"),
        ("no appropriate commonName or subjectAltName fields were found", "use the host name"),
        (f"{VERIFY}: certificate has expired", "renew"),
        (f"{VERIFY}: certificate is not yet valid", "set this machine's clock"),
        (f"{VERIFY}: self-signed certificate", "set ssl_ca_cert"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "use http, or the port"),
        ("[SSL] record layer failure", "use http, or the port"),
    ],
)
def test_error_says_what_helps(text: str, fix: str) -> None:
    error = error_of_tls("https://h:8086", f"SSLError: {text} (_ssl.c:1006)")
    assert error is not None
    assert fix in str(error)


@pytest.mark.parametrize(
    "text", ["Connection refused", "Read timed out", "EOF occurred in violation of protocol"]
)
def test_error_that_may_pass_is_none_of_tls(text: str) -> None:
    assert error_of_tls("https://h:8086", text) is None
