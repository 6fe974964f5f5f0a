"""Where alerts go besides the log: Slack, a webhook, e-mail. Each sends one alert, or says why it could not.

What an alert says is in `alerts.py`; when it is tried again, in `automation/alerts.py`.
"""

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from deputies_lake.alerts import Alert
from deputies_lake.environments import AlertSettings

TIMEOUT_SECONDS: Final = 5
"""All targets are tried within a sensor's minute."""

_SMTPS_PORT: Final = 465
_SMTP_PORT: Final = 587


class NotSentError(Exception):
    """A target did not take an alert. Says which and why, and never its address, which may be a secret."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target} did not take it: {why}")


class Target(Protocol):
    """Somewhere an alert goes."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def send(self, alert: Alert) -> None:
        """Raises `NotSentError`."""


@dataclass(frozen=True, kw_only=True)
class Slack:
    """A channel, by its incoming webhook."""

    url: str = field(repr=False)
    name: str = "Slack"

    def send(self, alert: Alert) -> None:
        # What a file or an error says must not become a link or a mention.
        text = alert.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        _post(self.name, self.url, {"text": text})


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Whatever takes JSON: the alert's own fields, and its `text`."""

    url: str = field(repr=False)
    name: str = "webhook"

    def send(self, alert: Alert) -> None:
        _post(self.name, self.url, {**alert.values, "text": alert.text})


@dataclass(frozen=True, kw_only=True)
class Email:
    """E-mail, always through TLS: `smtps://` from the first byte, `smtp://` by STARTTLS or not at all."""

    server: str = field(repr=False)
    sender: str
    to: Sequence[str]
    name: str = "e-mail"

    def send(self, alert: Alert) -> None:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = alert.subject, self.sender, ", ".join(self.to)
        message.set_content(alert.text)
        try:
            with self._connected() as connection:
                connection.send_message(message)
        except smtplib.SMTPResponseException as error:
            raise NotSentError(self.name, f"{type(error).__name__} {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSentError(self.name, type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        parts, tls = urlsplit(self.server), ssl.create_default_context()
        host = parts.hostname or ""
        connection: smtplib.SMTP
        if parts.scheme == "smtps":
            connection = smtplib.SMTP_SSL(host, parts.port or _SMTPS_PORT, timeout=TIMEOUT_SECONDS, context=tls)
        else:
            connection = smtplib.SMTP(host, parts.port or _SMTP_PORT, timeout=TIMEOUT_SECONDS)
        try:
            if parts.scheme == "smtp":
                connection.starttls(context=tls)
            if parts.username:
                connection.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            connection.close()
            raise
        return connection


def targets_of(settings: AlertSettings) -> Sequence[Target]:
    """Those that are configured."""
    targets: list[Target] = []
    if settings.slack:
        targets.append(Slack(url=settings.slack))
    if settings.webhook:
        targets.append(Webhook(url=settings.webhook))
    if settings.smtp and settings.email:
        targets.append(Email(server=settings.smtp, sender=settings.sender, to=settings.email))
    return targets


def _post(target: str, url: str, content: Mapping[str, Any]) -> None:
    import requests

    try:
        # A redirect would turn the request into a GET, whose answer says nothing.
        response = requests.post(url, json=content, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        # Its text has the address in it.
        raise NotSentError(target, type(error).__name__) from None
    if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        raise NotSentError(target, f"HTTP {response.status_code}")
