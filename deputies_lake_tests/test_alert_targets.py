"""Alerts on their way to Slack, to a webhook and by e-mail: servers on loopback that take them, or don't."""

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deputies_lake.alert_targets import Email, NotSentError, Slack, Webhook, targets_of
from deputies_lake.alerts import Alert
from deputies_lake.environments import AlertSettings

ALERT = Alert(
    title="a file of <House> & others was not published",
    over=False,
    environment="prod",
    years=(2022,),
    since="2026-11-23T10:00:00+00:00",
    details=("2022: rows fell by 25 %",),
    command="deputies-lake history --year 2022",
)
SECRET = "s3cret-path"


@dataclass
class Http:
    """A server that answers each request with `status`, and keeps what it was sent."""

    url: str
    status: int = 200
    received: list[Any] = field(default_factory=list)


@pytest.fixture
def http() -> Iterator[Http]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append((self.path, json.loads(content)))
            self.send_response(kept.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept = Http(f"http://127.0.0.1:{server.server_port}/{SECRET}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


def test_slack_gets_the_text_with_nothing_in_it_that_could_be_a_link(http: Http) -> None:
    Slack(url=http.url).send(ALERT)
    [(path, content)] = http.received
    assert (path, content.keys()) == (f"/{SECRET}", {"text"})
    assert content["text"].startswith(
        "[deputies_lake prod] a file of &lt;House&gt; &amp; others was not published (2022)"
    )


def test_a_webhook_gets_each_field_and_the_text(http: Http) -> None:
    Webhook(url=http.url).send(ALERT)
    [(_, content)] = http.received
    assert content.pop("text") == ALERT.text
    assert Alert.read(content) == ALERT


@pytest.mark.parametrize("status", [302, 404, 500])
@pytest.mark.parametrize("target", [Slack, Webhook])
def test_an_answer_that_is_none_of_success_is_told_without_the_address(
    http: Http, target: Callable[..., Slack | Webhook], status: int
) -> None:
    http.status = status
    with pytest.raises(NotSentError, match=f"did not take it: HTTP {status}$"):
        target(url=http.url).send(ALERT)


def test_a_server_that_is_not_there_is_told_without_the_address() -> None:
    with pytest.raises(NotSentError) as refusal:
        Slack(url=f"http://127.0.0.1:1/{SECRET}").send(ALERT)
    assert str(refusal.value) == "Slack did not take it: ConnectionError"
    assert refusal.value.__suppress_context__


# e-mail


@dataclass
class Mail:
    """A mail server for each way of TLS that knows one user, and what it was given."""

    received: list[Any] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    refuses: bool = False

    def authenticate(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        if (data.login, data.password) != (b"ana", b"p@ss"):
            return AuthResult(success=False, handled=False)
        self.users.append(data.login)
        return AuthResult(success=True)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return "451 try again later"
        self.received.append((session.ssl is not None, envelope))
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class OnAnyPort(Controller):
    """The port is chosen by the system."""

    def _trigger_server(self) -> None:
        listening: Any = self.server
        self.port = listening.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@pytest.fixture
def mail() -> Mail:
    return Mail()


@pytest.fixture(params=["smtp", "smtps"])
def server(request: pytest.FixtureRequest, mail: Mail, certificate: Path) -> Iterator[str]:
    """Its address, with the user's name and password."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    how = {"ssl_context": tls} if request.param == "smtps" else {"tls_context": tls, "require_starttls": True}
    # To aiosmtpd only what STARTTLS made is TLS.
    of_starttls = request.param == "smtp"
    controller = OnAnyPort(
        mail, hostname="127.0.0.1", port=0, authenticator=mail.authenticate, auth_require_tls=of_starttls, **how
    )
    controller.start()
    yield f"{request.param}://ana:p%40ss@127.0.0.1:{controller.port}"
    controller.stop()


def email(server: str) -> Email:
    return Email(server=server, sender="lake@example.org", to=("ana@example.org", "bia@example.org"))


def test_e_mail_goes_to_each_through_tls(
    server: str, mail: Mail, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    email(server).send(ALERT)
    [(encrypted, envelope)] = mail.received
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("lake@example.org", ["ana@example.org", "bia@example.org"])
    assert message["Subject"].strip() == ALERT.subject
    assert message.get_content().splitlines() == ALERT.text.splitlines()
    assert mail.users == [b"ana"]
    assert encrypted or server.startswith("smtps")


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(server: str, mail: Mail) -> None:
    with pytest.raises(NotSentError, match="e-mail did not take it: SSLCertVerificationError"):
        email(server).send(ALERT)
    assert mail.received == []


def test_a_refusal_is_told_by_its_code(
    server: str, mail: Mail, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mail.refuses = True
    with pytest.raises(NotSentError, match="SMTPDataError 451"):
        email(server).send(ALERT)


def test_a_wrong_password_is_not_told(server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(NotSentError, match="SMTPAuthenticationError 535") as refusal:
        email(server.replace("p%40ss", SECRET)).send(ALERT)
    assert SECRET not in str(refusal.value)


def test_a_server_without_tls_gets_nothing(mail: Mail) -> None:
    controller = OnAnyPort(mail, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        with pytest.raises(NotSentError, match="SMTPNotSupportedError"):
            email(f"smtp://127.0.0.1:{controller.port}").send(ALERT)
    finally:
        controller.stop()
    assert mail.received == []


# which


def test_alerts_go_where_that_is_set() -> None:
    settings = AlertSettings(
        slack="https://slack.example/x",
        webhook="https://x.example",
        smtp="smtps://mail.example",
        email=("a@b.example",),
    )
    assert [target.name for target in targets_of(settings)] == ["Slack", "webhook", "e-mail"]
    assert targets_of(AlertSettings()) == []


def test_no_target_shows_its_address() -> None:
    settings = AlertSettings(
        slack=f"https://{SECRET}", webhook=f"https://{SECRET}", smtp=f"smtp://{SECRET}", email=("a",)
    )
    assert SECRET not in repr(targets_of(settings))
