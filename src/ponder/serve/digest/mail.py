"""Sending mail over SMTP: one message a recipient, one connection, what fails for a time is tried again."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Literal
from urllib.parse import urlsplit

from ponder.core.errors import InputError, PonderError
from ponder.serve.digest.addresses import read_address
from ponder.serve.hosts import is_loopback

Outcome = Literal["sent", "refused", "later"]
PORTS = {"smtps": 465, "smtp": 587, "smtp-plain": 25}


class MailError(PonderError):
    """The mail server cannot be used as it is set up: it refuses the login, or has no TLS."""


@dataclass(frozen=True)
class MailServer:
    """Where mail goes out, and from whom.

    Attributes:
        host, port: the server.
        tls: "tls" from the first byte, "starttls" (demanded, not only offered), or "none".
        sender: the address that mail is from.
        user, password: for the login; "" for none.
        timeout: seconds for each answer of the server.
        tries: how often what fails for a time is tried.
    """

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 20.0
    tries: int = 3


def read_server(url: str, sender: str = "", password: str = "") -> MailServer:
    """A server of smtps://USER@HOST:PORT (TLS), smtp://... (STARTTLS) or smtp-plain://... (neither); HOST:PORT is smtp://HOST:PORT.

    On this machine's own addresses smtp:// needs no TLS. Without a sender, mail is from ponder@HOST.

    Raises:
        InputError: it is written otherwise, or holds a password, which all users of the machine could read.
    """
    parts = urlsplit(url if "://" in url else f"smtp://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in PORTS or not parts.hostname or port == -1 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InputError("a mail server is written smtps://USER@HOST:PORT, smtp://USER@HOST:PORT or smtp-plain://HOST:PORT")
    if parts.password is not None:
        raise InputError("leave the password out of the mail server's address and put it into PONDER_SMTP_PASSWORD")
    plain = parts.scheme == "smtp-plain" or (parts.scheme == "smtp" and is_loopback(parts.hostname))
    tls = "tls" if parts.scheme == "smtps" else "none" if plain else "starttls"
    sender = read_address(sender or f"ponder@{parts.hostname}")
    return MailServer(parts.hostname, port or PORTS[parts.scheme], tls, sender, parts.username or "", password)


def compose(server: MailServer, to: str, subject: str, text: str, html: str, unsubscribe: str = "") -> EmailMessage:
    """A message with a text and an HTML part for one recipient.

    Args:
        unsubscribe: the link that takes one click (RFC 8058); "" for none, as in the mail that asks to confirm.

    Raises:
        InputError: a header would hold a line break.
    """
    message = EmailMessage(policy=SMTP)
    headers = {
        "From": server.sender,
        "To": read_address(to),
        "Subject": subject,
        "Date": formatdate(),
        "Message-ID": make_msgid(domain=server.sender.partition("@")[2]),
        "Auto-Submitted": "auto-generated",
    }
    if unsubscribe:
        headers |= {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    for name, value in headers.items():
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise InputError(f"the header {name} may not hold a line break or another control character")
        message[name] = value
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def send_each(
    server: MailServer, letters: Iterable[tuple[str, EmailMessage]], pause: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, Outcome]]:
    """Send messages, each to the one address in its `To`, and tell of each what became of it, by its key.

    "refused" is for good, "later" is not: the server was down or busy however often it was tried. Once it cannot be reached, the rest is
    "later" at once. No error holds an address.

    Raises:
        MailError: the server refuses the login, or lacks the TLS that is asked for; nothing was sent on that connection.
    """
    line = _Line(server, pause)
    try:
        for key, letter in letters:
            yield key, line.send(letter)
    finally:
        line.close()


class _Line:
    """A connection that is made when it is needed, and again when it broke."""

    def __init__(self, server: MailServer, pause: Callable[[float], None]) -> None:
        self._server, self._pause = server, pause
        self._open: smtplib.SMTP | None = None
        self._dead = False

    def send(self, letter: EmailMessage) -> Outcome:
        for attempt in range(self._server.tries):
            if self._dead:
                return "later"
            if attempt:
                self._pause(2.0**attempt)
            try:
                self._open = self._open or self._connected()
                self._open.send_message(letter, self._server.sender, [str(letter["To"])])
                return "sent"
            except smtplib.SMTPRecipientsRefused as error:
                if max(code for code, _ in error.recipients.values()) >= 500:
                    return "refused"
            except smtplib.SMTPDataError as error:
                if error.smtp_code >= 500:
                    return "refused"
            except (OSError, smtplib.SMTPException):  # the line is gone or unwell: a new one
                self.close()
                self._dead = attempt + 1 == self._server.tries
        return "later"

    def close(self) -> None:
        if self._open:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._open.quit()
        self._open = None

    def _connected(self) -> smtplib.SMTP:
        s = self._server
        if s.tls == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(s.host, s.port, timeout=s.timeout, context=ssl.create_default_context())
        else:
            smtp = smtplib.SMTP(s.host, s.port, timeout=s.timeout)
        problem = ""
        try:
            if s.tls == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if s.user:
                smtp.login(s.user, s.password)
            return smtp
        except smtplib.SMTPNotSupportedError:
            problem = f"the mail server {s.host} does not offer {'a login' if s.tls != 'starttls' else 'STARTTLS or a login'}"
        except smtplib.SMTPAuthenticationError:
            problem = f"the mail server {s.host} refuses the login"
        except (OSError, smtplib.SMTPException):
            smtp.close()
            raise
        smtp.close()
        raise MailError(problem)
