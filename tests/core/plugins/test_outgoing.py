"""Nothing inside is reached by an address that a user gives, however it is written."""

import datetime
import email.utils
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelyard.core import outgoing
from modelyard.core.outgoing import AddressRefused, OutgoingPolicy, Unreachable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Handler = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    before = outgoing.current_policy()
    outgoing.set_policy(OutgoingPolicy())
    yield
    outgoing.set_policy(before)


@pytest.fixture
def loopback_allowed() -> None:
    outgoing.set_policy(OutgoingPolicy.of("127.0.0.0/8", "::1/128"))


@contextmanager
def server(handle: Handler, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A TCP server on loopback that gives each connection to `handle`, in a thread; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                    handle(stream)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    def handle(stream: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (part := stream.recv(65536)):
                return
            request += part
        head, _, body = request.partition(b"\r\n\r\n")
        while b"Content-Length: 5" in head and len(body) < 5:
            body += stream.recv(65536)
        if seen is not None:
            seen.append(head + b"\r\n\r\n" + body)
        stream.sendall(answer)

    return handle


def resolving(*addresses: str) -> Callable[..., list[object]]:
    """A `getaddrinfo` that knows one name, and counts who asks for it."""
    real = socket.getaddrinfo
    asked: list[str] = []

    def fake(host: str, port: object, *args: object, **options: object) -> list[object]:
        if host != "pigeon.test":
            return real(host, port, *args, **options)  # type: ignore[arg-type, return-value]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    fake.asked = asked  # type: ignore[attr-defined]
    return fake


class TestPolicy:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fe80::1%1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2001:0:808:808:0:0:80ff:fffe",
        ],
    )
    def test_inside_is_refused(self, address: str) -> None:
        assert not OutgoingPolicy().allows(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        "address",
        [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ],
    )
    def test_outside_is_allowed(self, address: str) -> None:
        assert OutgoingPolicy().allows(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        ("network", "address", "allowed"),
        [
            ("10.1.0.0/16", "10.1.2.3", True),
            ("10.1.0.0/16", "10.2.0.1", False),
            ("10.1.0.0/16", "::ffff:10.1.2.3", True),
            ("127.0.0.0/8", "127.0.0.1", True),
            ("127.0.0.0/8", "::1", False),
            ("::1/128", "::1", True),
            ("fd00::/8", "fd12::1", True),
            ("169.254.169.254", "169.254.169.254", True),
        ],
    )
    def test_what_the_settings_allow(self, network: str, address: str, allowed: bool) -> None:
        assert OutgoingPolicy.of(network).allows(ipaddress.ip_address(address)) is allowed

    def test_a_network_that_is_none_is_named(self) -> None:
        with pytest.raises(ValueError, match="local area"):
            OutgoingPolicy.of("local area")


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:0:0:1]",
            "169.254.169.254",
            "2852039166",
            "[fd00:ec2::254]",
        ],
    )
    def test_every_way_to_write_it_is_refused(self, host: str) -> None:
        with pytest.raises((AddressRefused, Unreachable)) as caught:
            outgoing.request("GET", f"http://{host}/latest/meta-data?key=hunter2", timeout_seconds=5)

        assert "hunter2" not in str(caught.value)
        if host not in ("localhost.",):  # whether a resolver knows this form is its own affair
            assert type(caught.value) is AddressRefused

    def test_a_name_that_leads_to_loopback_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.1"))

        with pytest.raises(AddressRefused, match=r"'pigeon\.test' leads to 127\.0\.0\.1, inside"):
            outgoing.request("GET", "http://pigeon.test/", timeout_seconds=5)

    def test_of_several_addresses_only_the_allowed_are_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolving("10.0.0.1", "8.8.8.8", "127.0.0.1", "8.8.8.8"))

        assert outgoing.resolve("pigeon.test", 80) == [ipaddress.ip_address("8.8.8.8")]

    @pytest.mark.usefixtures("loopback_allowed")
    def test_the_name_is_resolved_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = resolving("127.0.0.1")
        monkeypatch.setattr(socket, "getaddrinfo", fake)
        seen: list[bytes] = []

        with server(answering(OK, seen)) as port:
            answer = outgoing.request("GET", f"http://pigeon.test:{port}/path?a=b#fragment", timeout_seconds=5)

        assert (answer.status, answer.body) == (200, b"ok")
        assert fake.asked == ["pigeon.test"]  # type: ignore[attr-defined]
        assert seen[0].startswith(b"GET /path?a=b HTTP/1.1\r\n")
        assert f"Host: pigeon.test:{port}\r\n".encode() in seen[0]

    @pytest.mark.usefixtures("loopback_allowed")
    def test_the_next_address_is_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.2", "127.0.0.1"))

        with server(answering(OK)) as port:
            assert outgoing.request("GET", f"http://pigeon.test:{port}/", timeout_seconds=5).status == 200

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "pigeon",
            "/path",
            "ftp://host/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_x",
            "http://",
            "http:///path",
            "http://host:99999/",
            "http://host:0/",
            "http://[::1/",
            "http://host/a b",
            "http://host/\r\nX-Injected: 1",
            "http://hö.test/",
        ],
    )
    def test_what_is_no_address_is_refused(self, url: str) -> None:
        with pytest.raises(AddressRefused, match="no http or https address"):
            outgoing.request("GET", url, timeout_seconds=5)

    def test_credentials_in_the_address_are_refused_and_not_quoted(self) -> None:
        with pytest.raises(AddressRefused, match="user name") as caught:
            outgoing.request("GET", "http://ada:hunter2@host.test/", timeout_seconds=5)
        assert "hunter2" not in str(caught.value)

    def test_a_name_that_nobody_knows_is_unreachable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*args: object, **options: object) -> None:
            raise socket.gaierror("Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        with pytest.raises(Unreachable, match=r"'pigeon\.test' cannot be resolved"):
            outgoing.request("GET", "http://pigeon.test/", timeout_seconds=5)


@pytest.mark.usefixtures("loopback_allowed")
class TestAnswers:
    def test_a_redirect_is_an_answer_and_not_followed(self) -> None:
        redirect = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"

        with server(answering(redirect)) as port:
            answer = outgoing.request("GET", f"http://127.0.0.1:{port}/", timeout_seconds=5)

        assert (answer.status, answer.headers["Location"]) == (302, "http://169.254.169.254/")

    def test_a_body_is_sent_and_a_huge_answer_is_cut(self) -> None:
        seen: list[bytes] = []
        huge = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000

        with server(answering(huge, seen)) as port:
            answer = outgoing.request(
                "POST", f"http://localhost:{port}", body=b"hello", headers={"X-Token": "t"}, timeout_seconds=5
            )

        assert len(answer.body) == outgoing.MAX_ANSWER_BYTES
        assert seen[0].startswith(b"POST / HTTP/1.1\r\n")
        assert b"X-Token: t\r\n" in seen[0]
        assert seen[0].endswith(b"\r\n\r\nhello")

    @pytest.mark.parametrize(
        ("answer", "said"),
        [(b"", "closed"), (b"SSH-2.0-x\r\n", "SSH-2.0-x"), (b"HTTP/1.1 xyz\r\n\r\n", "BadStatusLine")],
    )
    def test_a_broken_answer_is_unreachable(self, answer: bytes, said: str) -> None:
        with server(answering(answer)) as port, pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}: .*{said}"):
            outgoing.request("GET", f"http://127.0.0.1:{port}/secret", timeout_seconds=5)

    def test_a_dead_port_is_unreachable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        with pytest.raises(Unreachable, match="refused"):
            outgoing.request("GET", f"http://127.0.0.1:{port}/", timeout_seconds=5)
        with pytest.raises(Unreachable, match="refused"):
            outgoing.probe(f"http://127.0.0.1:{port}/", timeout_seconds=5)

    def test_probing_sends_nothing(self) -> None:
        seen: list[bytes] = []
        read = threading.Event()

        def handle(stream: socket.socket) -> None:
            seen.append(stream.recv(100))
            read.set()

        with server(handle) as port:
            outgoing.probe(f"http://127.0.0.1:{port}/", timeout_seconds=5)
            assert read.wait(10)

        assert seen == [b""]

    def test_silence_ends_at_the_limit(self) -> None:
        done = threading.Event()

        with server(lambda stream: done.wait(30) and None) as port:
            began = monotonic()
            with pytest.raises(Unreachable, match="no whole answer in time"):
                outgoing.request("GET", f"http://127.0.0.1:{port}/", timeout_seconds=0.3)
            assert monotonic() - began < 5
            done.set()

    def test_an_answer_in_drops_ends_at_the_limit(self) -> None:
        done = threading.Event()

        def drip(stream: socket.socket) -> None:
            stream.sendall(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.02):
                stream.sendall(b"X-Drop: 1\r\n")

        with server(drip) as port:
            began = monotonic()
            with pytest.raises(Unreachable, match="no whole answer"):
                outgoing.request("GET", f"http://127.0.0.1:{port}/", timeout_seconds=0.5)
            assert monotonic() - began < 5
            done.set()


class TestTls:
    @pytest.fixture
    def context(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """A server's context for the name pigeon.test, whose certificate this process trusts."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pigeon.test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("pigeon.test")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        file = tmp_path / "server.pem"
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(certificate.public_bytes(pem) + secret)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    @pytest.mark.usefixtures("loopback_allowed")
    def test_the_certificate_is_checked_against_the_name(
        self, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.1"))

        with server(answering(OK), context) as port:
            assert outgoing.request("GET", f"https://pigeon.test:{port}/", timeout_seconds=5).status == 200
            outgoing.probe(f"https://pigeon.test:{port}/", timeout_seconds=5)
            with pytest.raises(Unreachable, match=r"(?i)certificate.*mismatch|doesn't match"):
                outgoing.request("GET", f"https://localhost:{port}/", timeout_seconds=5)
            with pytest.raises(Unreachable):
                outgoing.request("GET", f"https://127.0.0.1:{port}/", timeout_seconds=5)

    @pytest.mark.usefixtures("loopback_allowed")
    def test_a_certificate_that_nobody_signed_is_refused(
        self, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.1"))

        with server(answering(OK), context) as port, pytest.raises(Unreachable, match=r"(?i)certificate verify failed"):
            outgoing.request("GET", f"https://pigeon.test:{port}/", timeout_seconds=5)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"Retry-After": "Wed, 99 Oct 2015"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
)
def test_how_long_an_answer_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert outgoing.Answer(429, headers, b"").retry_after_seconds == seconds


def test_a_date_to_wait_for_is_seconds_from_now() -> None:
    later = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1), usegmt=True)
    waits = outgoing.Answer(503, {"Retry-After": later}, b"").retry_after_seconds
    assert waits is not None
    assert 3500 < waits <= 3600
