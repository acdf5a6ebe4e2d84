"""What the addresses of the digest share: the file, the subscribers, the mail server, the limits on asking."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass

from fastapi import Request

from ponder.core.errors import PonderError
from ponder.serve.digest.letters import Letters
from ponder.serve.digest.mail import MailServer
from ponder.serve.digest.sending import send_replies
from ponder.serve.digest.store import DigestStore
from ponder.serve.digest.subscribers import Subscribers
from ponder.serve.rooms import kept

_LOG = logging.getLogger(__name__)
HOUR = 3600.0


@dataclass(frozen=True)
class DigestSettings:
    """How the digest is served.

    Attributes:
        server: where mail goes out; None if nobody can subscribe here.
        site: where readers reach the server, as https://example.org; by default what the request says, for the feed alone.
        per_client: how often an hour one client may ask for the digest.
        per_hour: how often all may.
    """

    server: MailServer | None = None
    site: str = ""
    per_client: int = 10
    per_hour: int = 200


class DigestRoom:
    """Made once an application, on the first request."""

    def __init__(self, settings: DigestSettings) -> None:
        self.settings = settings
        self.store = DigestStore()
        self.subscribers = Subscribers(self.store)
        self._asked: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether one can subscribe here: mail can be sent, and its links lead somewhere."""
        return bool(self.settings.server and self.settings.site)

    def site(self, request: Request) -> str:
        """Where readers reach the server."""
        return self.settings.site.rstrip("/") or str(request.base_url).rstrip("/")

    def too_often(self, client: str) -> bool:
        """Count that a client asks; whether it, or all together, did so too often in the last hour."""
        now = time.monotonic()
        with self._lock:
            while self._asked and self._asked[0][0] < now - HOUR:
                self._asked.popleft()
            if len(self._asked) >= self.settings.per_hour or sum(c == client for _, c in self._asked) >= self.settings.per_client:
                return True
            self._asked.append((now, client))
            return False

    def send_due(self) -> None:
        """Send the mails that are due. Failures are logged without addresses, and made up for by the next call."""
        server = self.settings.server
        if server is None:
            return
        with self._sending:
            try:
                send_replies(self.subscribers, Letters(server, self.subscribers, self.settings.site.rstrip("/")))
            except PonderError as error:
                _LOG.warning("mails to new subscribers wait: %s", error)


def room_of(request: Request) -> DigestRoom:
    """The room of the application that a request came to. `app.state.digest_settings` says how, where it is set."""
    return kept(request, "digest", lambda: DigestRoom(getattr(request.app.state, "digest_settings", DigestSettings())))
