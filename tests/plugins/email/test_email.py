"""E-mail against a real SMTP server that encrypts, asks for a password, refuses, hangs, and is not there."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelyard import InvalidInput, Notification, PluginRefused, PluginUnavailable
from modelyard.core import outgoing
from modelyard.core.providers import validate_settings
from modelyard.core.testing import NotifierContract, NotifierOutageContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.email.message import compose
from modelyard.plugins.email.notifier import Email

PASSWORD = "hunter2"


class Mailbox:
    """Takes mails, or answers as `answers` says for a command."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refused := self.answers.get(address):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if refused := self.answers.get("DATA"):
            return refused
        self.mails.append(envelope)
        return "250 OK"

    def read(self) -> list[EmailMessage]:
        return [message_from_bytes(mail.content, policy=SMTP) for mail in self.mails]  # type: ignore[misc]


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    before = outgoing.current_policy()
    outgoing.set_policy(outgoing.OutgoingPolicy.of("127.0.0.0/8"))
    yield
    outgoing.set_policy(before)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's context with a certificate of our own for 127.0.0.1, and that certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(pem + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, pem.decode()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox: Mailbox) -> Iterator[Callable[..., int]]:
    """Start a server of the given kind and return its port."""
    started: list[Controller] = []

    def start(**options: Any) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
        controller.start()
        started.append(controller)
        return port

    yield start
    for controller in started:
        controller.stop()


def email(at: int, **more: Any) -> Email:
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": at,
        "security": "none",
        "from": "yard@acme.test",
        "to": ["ada@acme.test"],
    }
    return Email(validate_settings(Email.settings_schema, given | more))


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = data.login == b"ada" and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


class TestContract(NotifierContract):
    @pytest.fixture
    def notifier(self, serve: Callable[..., int], mailbox: Mailbox) -> Email:
        self.mailbox = mailbox
        return email(serve())

    def delivered(self, notifier: Any) -> list[str]:
        return [mail["Message-ID"][1:].partition("@")[0] for mail in self.mailbox.read()]


class TestOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self) -> Email:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        return email(port)


class TestMail:
    def test_what_arrives(self, serve: Callable[..., int], mailbox: Mailbox) -> None:
        sent = notification()
        email(serve(), to=["ada@acme.test", "bob@acme.test"]).send(sent)

        (envelope,) = mailbox.mails
        assert (envelope.mail_from, envelope.rcpt_tos) == ("yard@acme.test", ["ada@acme.test", "bob@acme.test"])
        (mail,) = mailbox.read()
        assert mail["Subject"] == sent.title
        assert str(mail["From"]) == "Modelyard <yard@acme.test>"
        assert str(mail["To"]) == "ada@acme.test, bob@acme.test"
        assert mail["Message-ID"] == f"<{sent.id}@acme.test>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["X-Modelyard-Action"] == "model_version.stage_changed"
        assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=5)
        text, html = (part.get_content() for part in mail.iter_parts())
        assert text.split() == f"{sent.title} {sent.text} {sent.link}".split()
        assert f'<a href="{sent.link}">' in html
        assert sent.text in html

    def test_nothing_breaks_out_of_a_header(self) -> None:
        hostile = "risk\r\nBcc: eve@evil.test\n\nbody\x00 \u2028 <script>\ud800"
        made = compose(
            replace(notification(), id="1\r\nX: y", title=hostile, action="a.b\r\nX: y", text=hostile),
            sender="yard@acme.test",
            recipients=["ada@acme.test"],
        )
        read = message_from_bytes(made.as_bytes(), policy=SMTP)
        assert read["Bcc"] is None
        assert read["X"] is None
        assert "\n" not in read["Subject"]
        assert "Bcc: eve@evil.test" in read["Subject"]
        assert "<script>" not in read.get_body(("html",)).get_content()  # type: ignore[union-attr]

    @pytest.mark.parametrize("link", [None, "javascript:alert(1)", 'https://x.test/"><script>', "https://x.test/ü"])
    def test_only_a_plain_link_is_one(self, link: str | None) -> None:
        made = compose(replace(notification(), link=link), sender="a@x.test", recipients=["b@x.test"])
        html = made.get_body(("html",))
        assert html is not None
        assert "<script>" not in html.get_content()
        assert "javascript" not in html.get_content()

    def test_a_long_title_is_cut(self) -> None:
        made = compose(Notification("1", "a.b", "x" * 5000, "", 0), sender="a@x.test", recipients=["b@x.test"])
        assert len(made["Subject"]) == 200
        assert all(len(line) <= 998 for line in made.as_bytes().splitlines())


class TestEncryption:
    @pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd means STARTTLS by TLS
    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_the_password_goes_encrypted(
        self, serve: Callable[..., int], mailbox: Mailbox, certificate: Any, security: str
    ) -> None:
        context, pem = certificate
        options = {"tls_context": context, "require_starttls": True} if security == "starttls" else {}
        if security == "tls":
            options = {"ssl_context": context, "auth_require_tls": False}
        port = serve(authenticator=authenticate, auth_required=True, **options)
        made = email(port, security=security, ca_certificates=pem, username="ada", password=PASSWORD)
        made.send(notification())
        assert len(mailbox.mails) == 1
        assert made.health().ok

    def test_a_wrong_password_is_final(self, serve: Callable[..., int], mailbox: Mailbox, certificate: Any) -> None:
        context, pem = certificate
        port = serve(authenticator=authenticate, auth_required=True, tls_context=context)
        made = email(port, security="starttls", ca_certificates=pem, username="ada", password="wrong")
        with pytest.raises(PluginRefused, match="535"):
            made.send(notification())
        assert made.health().ok is False
        assert mailbox.mails == []

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_a_certificate_that_nobody_vouches_for_gets_nothing(
        self, serve: Callable[..., int], mailbox: Mailbox, certificate: Any, security: str
    ) -> None:
        options = {"tls_context": certificate[0]} if security == "starttls" else {"ssl_context": certificate[0]}
        with pytest.raises(PluginUnavailable, match="certificate verify failed"):
            email(serve(**options), security=security).send(notification())
        assert mailbox.mails == []

    def test_a_server_that_cannot_encrypt_gets_nothing(self, serve: Callable[..., int], mailbox: Mailbox) -> None:
        with pytest.raises(PluginRefused, match="STARTTLS"):
            email(serve(), security="starttls").send(notification())
        assert mailbox.mails == []


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "raised"),
        [("550 no such user", PluginRefused), ("451 try later", PluginUnavailable), ("452 full", PluginUnavailable)],
    )
    def test_a_refused_recipient(
        self, serve: Callable[..., int], mailbox: Mailbox, answer: str, raised: type[Exception]
    ) -> None:
        mailbox.answers["ada@acme.test"] = answer
        with pytest.raises(raised, match=rf"0 of 1 recipients were taken\. ada@acme\.test: {answer}"):
            email(serve()).send(notification())
        assert mailbox.mails == []

    def test_one_refused_of_several_is_told_and_the_others_have_it(
        self, serve: Callable[..., int], mailbox: Mailbox
    ) -> None:
        mailbox.answers["bob@acme.test"] = "550 no such user"
        with pytest.raises(PluginRefused, match="1 of 2 recipients were taken"):
            email(serve(), to=["ada@acme.test", "bob@acme.test"]).send(notification())
        assert [mail.rcpt_tos for mail in mailbox.mails] == [["ada@acme.test"]]

    @pytest.mark.parametrize(("answer", "raised"), [("552 too big", PluginRefused), ("421 closing", PluginUnavailable)])
    def test_a_refused_mail(
        self, serve: Callable[..., int], mailbox: Mailbox, answer: str, raised: type[Exception]
    ) -> None:
        mailbox.answers["DATA"] = answer
        with pytest.raises(raised, match=answer):
            email(serve()).send(notification())

    @pytest.mark.parametrize("drop", [b"", b"2"])
    def test_a_server_that_hangs_or_answers_in_drops_is_given_up(self, drop: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            given_up = threading.Event()

            def accept() -> None:
                held, _ = listener.accept()
                with held, suppress(OSError):
                    while not given_up.wait(0.05):
                        held.sendall(drop)

            thread = threading.Thread(target=accept)
            thread.start()
            with pytest.raises(PluginUnavailable):
                email(listener.getsockname()[1], timeout_seconds=0.4).send(notification())
            given_up.set()
            thread.join(10)

    def test_an_address_inside_is_refused_for_good(self, serve: Callable[..., int], mailbox: Mailbox) -> None:
        port = serve()
        outgoing.set_policy(outgoing.OutgoingPolicy())
        with pytest.raises(InvalidInput, match="inside of this network"):
            email(port).send(notification())
        assert email(port).health().ok is False
        assert mailbox.mails == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"from": "ada"}, "from"),
        ({"to": []}, "to"),
        ({"to": ["ada@x.test\r\nBcc: eve@x.test"]}, "to.0"),
        ({"to": [f"u{number}@x.test" for number in range(51)]}, "to"),
        ({"host": "a b"}, "host"),
        ({"port": 0}, "port"),
        ({"security": "ssl"}, "security"),
        ({"username": "ada", "password": "x"}, "security"),
        ({"ca_certificates": "no PEM"}, "ca_certificates"),
        ({"timeout_seconds": 60}, "timeout_seconds"),
    ],
)
def test_wrong_settings_are_named(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}:"):
        email(25, **more)
