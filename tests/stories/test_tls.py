# SPDX-License-Identifier: Apache-2.0
"""The transport: versions, a certificate exchanged while connections live, resumption, and nothing in clear."""
import datetime
import ipaddress
import signal
import socket
import ssl
import time
import urllib.parse
import warnings

import pytest
import raw
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from service import Service

warnings.filterwarnings("ignore", "ssl.TLSVersion", DeprecationWarning)
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def certificate(folder, name):
    """A self-signed certificate for loopback; its serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                       serialization.NoEncryption()))
    (folder / "key.pem").chmod(0o600)
    return made.serial_number


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    serial = certificate(folder, "first")
    started = Service(None, "--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    started.folder, started.serial = folder, serial
    try:
        started.start()
        started.ca = str(folder / "trusted.pem")
        (folder / "trusted.pem").write_bytes((folder / "cert.pem").read_bytes())
        yield started
    finally:
        started.close()


def client_context(service, **options):
    context = ssl.create_default_context(cafile=service.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name, value in options.items():
        setattr(context, name, value)
    return context


def handshake(service, context, **options):
    where = urllib.parse.urlparse(service.url)
    return context.wrap_socket(socket.create_connection((where.hostname, where.port), 10), server_hostname=where.hostname, **options)


def serial(connection):
    return int(connection.getpeercert()["serialNumber"], 16)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_versions_are_spoken(service, version):
    with raw.connect(service, least=version, most=version) as connection:
        assert connection.version() == version.name.replace("_", ".")
        connection.sendall(GET)
        assert raw.receive(connection).status_code == 200
        name, _, bits = connection.cipher()
        assert bits >= 128 and ("GCM" in name or "CHACHA20" in name), name
        assert version == ssl.TLSVersion.TLSv1_3 or name.startswith("ECDHE"), name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused_by_the_service(service, version):
    context = client_context(service, minimum_version=version, maximum_version=version)
    with pytest.raises(ssl.SSLError) as refusal:
        handshake(service, context)
    # An alert or the end of the connection, both the service's; not a refusal of this client.
    ended = isinstance(refusal.value, (ssl.SSLZeroReturnError, ssl.SSLEOFError))
    assert ended or refusal.value.reason in ("TLSV1_ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING"), refusal.value
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with handshake(service, context) as connection:
        assert connection.version() == "TLSv1.2"


def test_weak_ciphers_are_refused(service):
    for ciphers in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "aNULL@SECLEVEL=0", "eNULL@SECLEVEL=0", "DES-CBC3-SHA@SECLEVEL=0"):
        context = ssl.create_default_context(cafile=service.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError:
            continue  # this client cannot offer it
        with pytest.raises(ssl.SSLError):
            handshake(service, context)


def test_nothing_is_answered_in_clear(service):
    where = urllib.parse.urlparse(service.url)
    for said in (GET, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 64, b"SSH-2.0-x\r\n"):
        with socket.create_connection((where.hostname, where.port), 10) as plain:
            plain.sendall(said)
            plain.settimeout(12)
            try:
                answer = plain.recv(4096)
            except ConnectionError:
                answer = b""
            assert b"HTTP/" not in answer and len(answer) <= 64, answer
    assert service.client().get("/healthz").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(service, version):
    context = client_context(service, minimum_version=version, maximum_version=version)
    with handshake(service, context) as first:
        first.sendall(GET)
        assert raw.receive(first).status_code == 200  # TLS 1.3 sends its tickets after the handshake
        assert not first.session_reused
        session = first.session
    for _ in range(3):
        with handshake(service, context, session=session) as again:
            again.sendall(GET)
            assert raw.receive(again).status_code == 200
            assert again.session_reused
            session = again.session


def test_a_new_certificate_at_sighup_and_old_connections_live(service):
    with raw.connect(service) as old:
        assert serial(old) == service.serial
        old.sendall(GET)
        assert raw.receive(old).status_code == 200
        fresh = certificate(service.folder, "second")
        service.ca = str(service.folder / "cert.pem")
        service.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while True:
            try:
                with raw.connect(service) as new:
                    assert serial(new) == fresh
                    break
            except ssl.SSLCertVerificationError:
                assert time.monotonic() < end, "the new certificate is not used"
                time.sleep(0.05)
        for _ in range(3):
            old.sendall(GET)
            assert raw.receive(old).status_code == 200
    service.serial = fresh


def test_a_broken_certificate_at_sighup_changes_nothing(service):
    good = (service.folder / "cert.pem").read_bytes(), (service.folder / "key.pem").read_bytes()
    (service.folder / "trusted.pem").write_bytes(good[0])
    service.ca = str(service.folder / "trusted.pem")
    key = ec.generate_private_key(ec.SECP256R1())
    other = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for cert, secret in ((b"", good[1]), (b"not a certificate", good[1]), (good[0], other), (good[0][:-40], good[1])):
        before = service.log().count("\n")
        (service.folder / "cert.pem").write_bytes(cert)
        (service.folder / "key.pem").write_bytes(secret)
        service.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while service.log().count("\n") == before and time.monotonic() < end:
            time.sleep(0.05)
        said = "\n".join(service.log().splitlines()[before:])
        assert "cert" in said or "key" in said, "the refusal is not in the log: " + said
        with raw.connect(service) as connection:
            assert serial(connection) == service.serial
    (service.folder / "cert.pem").write_bytes(good[0])
    (service.folder / "key.pem").write_bytes(good[1])
