"""TLS that is set up wrongly: permanent, at once, and with what helps. The servers are real and on this machine."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import ConfigurationError

NOW = datetime.now(UTC)


class Healthy(BaseHTTPRequestHandler):
    """Answers as InfluxDB does to a health check."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"name": "influxdb", "version": "2", "status": "pass"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def write_certificate(folder: Path, host: str, *, stop: datetime = NOW + timedelta(days=1)) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(stop)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def serving(certificate: Path | None) -> Iterator[int]:
    """A server with a certificate, or without TLS; gives its port."""
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, authorities: Path | None, host: str = "localhost", *, verify_ssl: bool = True) -> str:
    """What a health check says."""
    settings = ClientSettings(
        url=f"https://{host}:{port}",
        org="dev",
        token=lambda _: "t",
        verify_ssl=verify_ssl,
        ssl_ca_cert=None if authorities is None else str(authorities),
        deadline_seconds=3_600,
    )
    with InfluxClient(settings) as client:
        return client.health().status


def test_server_is_trusted_when_its_certificate_is_in_the_file(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, "localhost")
    with serving(certificate) as port:
        assert ask(port, certificate) == "pass"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_any_certificate_will_do_when_it_is_not_verified(tmp_path: Path) -> None:
    with serving(write_certificate(tmp_path, "elsewhere.example")) as port:
        assert ask(port, None, verify_ssl=False) == "pass"


def test_authority_is_asked_for_when_the_certificate_is_unknown(tmp_path: Path) -> None:
    with (
        serving(write_certificate(tmp_path, "localhost")) as port,
        pytest.raises(ConfigurationError, match="set ssl_ca_cert to the file of the authority"),
    ):
        ask(port, None)


def test_host_name_is_asked_for_when_the_certificate_is_of_another_host(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, "elsewhere.example")
    with serving(certificate) as port:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(ConfigurationError, match="use the host name that the certificate") as caught:
                ask(port, certificate, host)
            assert "ssl_ca_cert" not in str(caught.value)


def test_renewal_is_asked_for_when_the_certificate_has_expired(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, "localhost", stop=NOW - timedelta(days=1))
    with (
        serving(certificate) as port,
        pytest.raises(ConfigurationError, match="renew the server's certificate"),
    ):
        ask(port, certificate)


def test_plain_port_is_told_when_it_is_asked_for_tls(tmp_path: Path) -> None:
    with serving(None) as port, pytest.raises(ConfigurationError, match="does not speak TLS on this port"):
        ask(port, None)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_file_of_authorities_is_named_before_any_request_when_it_cannot_be_used(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"ssl_ca_cert=.*authorities\.pem"):
        ask(1, path)
