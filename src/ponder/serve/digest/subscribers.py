"""Who gets the digest. An address leaves this room in a mail to itself only: links hold a random id, signed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer

from ponder.serve.digest.addresses import read_address
from ponder.serve.digest.store import DigestStore

Purpose = Literal["confirm", "unsubscribe"]

AGES: dict[Purpose, int] = {"confirm": 3 * 86_400, "unsubscribe": 400 * 86_400}
"""How many seconds a link is good for."""

BETWEEN = 3600.0
"""Seconds between two mails that somebody asks for at the page for one address."""

MOST_BOUNCES = 3


@dataclass(frozen=True)
class Subscriber:
    """Somebody who may get mail.

    Attributes:
        id: random; what links hold.
        address: shown to nobody; `repr` leaves it out.
        state: "pending" until the address is confirmed; "given" by whoever sends the digest; "bounced" after too many refusals.
        sent: the id of the last change they were told of.
    """

    id: str
    address: str
    state: Literal["pending", "confirmed", "given", "bounced"]
    sent: int

    def __repr__(self) -> str:
        return f"Subscriber({self.id!r}, {self.state!r})"


class Subscribers:
    """Subscribing in two steps, and unsubscribing in one.

    Args:
        store: the file they are kept in.
        clock: seconds since the epoch.
    """

    def __init__(self, store: DigestStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._secret = store.secret()

    def token(self, purpose: Purpose, id: str) -> str:
        """What a link of a purpose ends in."""
        return self._signer(purpose).dumps(id)

    def read(self, purpose: Purpose, token: str) -> str | None:
        """The id in a link; None if it was not signed here for this purpose, or is too old."""
        try:
            id = self._signer(purpose).loads(token, max_age=AGES[purpose])
        except BadSignature:
            return None
        return id if isinstance(id, str) else None

    def ask(self, address: str) -> bool:
        """Somebody asks for the digest: a mail to them is due now, which asks them to confirm or says that they had.

        Returns:
            False if a mail to this address was due less than `BETWEEN` seconds ago: no further one is.

        Raises:
            InputError: this is no address.
        """
        address, now = read_address(address), self._clock()
        with self._store.writing() as db:
            db.execute("DELETE FROM subscribers WHERE state = 'pending' AND asked < ?", (now - AGES["confirm"],))
            db.execute("INSERT OR IGNORE INTO subscribers (id, address, state) VALUES (?, ?, 'pending')", (_new_id(), address))
            changed = db.execute(
                "UPDATE subscribers SET asked = ?, due = 1 WHERE address = ? AND asked <= ?", (now, address, now - BETWEEN)
            )
            return changed.rowcount > 0

    def due(self) -> list[Subscriber]:
        """Those who asked and have had no mail about it yet."""
        return self._those("due = 1")

    def told(self, id: str) -> None:
        """The mail that was due went out, or can never arrive."""
        with self._store.writing() as db:
            db.execute("UPDATE subscribers SET due = 0 WHERE id = ?", (id,))

    def confirm(self, token: str, sent: int) -> bool:
        """The link in the mail was used; from now on they get what changes after the change with the id `sent`.

        Using it twice changes nothing.
        """
        id = self.read("confirm", token)
        with self._store.writing() as db:
            row = db.execute("SELECT address, state FROM subscribers WHERE id = ?", (id,)).fetchone()
            if row is None:
                return False
            if row["state"] != "confirmed":
                db.execute("UPDATE subscribers SET state = 'confirmed', sent = max(sent, ?), bounces = 0 WHERE id = ?", (sent, id))
                db.execute("DELETE FROM stopped WHERE mark = ?", (self._mark(row["address"]),))
            return True

    def unsubscribe(self, token: str) -> bool:
        """The link was used: the address is deleted; a mark from which it cannot be read keeps `given` from adding it again."""
        id = self.read("unsubscribe", token)
        if id is None:
            return False
        with self._store.writing() as db:
            row = db.execute("SELECT address FROM subscribers WHERE id = ?", (id,)).fetchone()
            if row is not None:
                db.execute("INSERT OR IGNORE INTO stopped VALUES (?)", (self._mark(row["address"]),))
                db.execute("DELETE FROM subscribers WHERE id = ?", (id,))
        return True

    def given(self, address: str) -> Subscriber | None:
        """The subscriber of an address that whoever sends the digest names; None if they have unsubscribed.

        Raises:
            InputError: this is no address.
        """
        address = read_address(address)
        with self._store.writing() as db:
            if db.execute("SELECT 1 FROM stopped WHERE mark = ?", (self._mark(address),)).fetchone():
                return None
            db.execute("INSERT OR IGNORE INTO subscribers (id, address, state) VALUES (?, ?, 'given')", (_new_id(), address))
            db.execute("UPDATE subscribers SET state = 'given' WHERE address = ? AND state <> 'confirmed'", (address,))
        return self._those("address = ?", address)[0]

    def confirmed(self) -> list[Subscriber]:
        """All who get the digest because they asked for it."""
        return self._those("state = 'confirmed'")

    def sent(self, id: str, change: int) -> None:
        """They were told of all changes up to the one with this id."""
        with self._store.writing() as db:
            db.execute("UPDATE subscribers SET sent = ?, bounces = 0 WHERE id = ?", (change, id))

    def refused(self, id: str) -> None:
        """Their mail server refused for good; after `MOST_BOUNCES` times in a row they get no more."""
        with self._store.writing() as db:
            db.execute("UPDATE subscribers SET bounces = bounces + 1 WHERE id = ?", (id,))
            db.execute("UPDATE subscribers SET state = 'bounced' WHERE id = ? AND bounces >= ?", (id, MOST_BOUNCES))

    def _those(self, where: str, *values: Any) -> list[Subscriber]:
        rows = self._store.rows(f"SELECT id, address, state, sent FROM subscribers WHERE {where} ORDER BY id", *values)
        return [Subscriber(**row) for row in rows]

    def _signer(self, purpose: Purpose) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"ponder digest {purpose}")

    def _mark(self, address: str) -> str:
        return hmac.new(self._secret.encode(), address.lower().encode(), hashlib.sha256).hexdigest()


def _new_id() -> str:
    return secrets.token_urlsafe(16)
