"""Sending the digest: each recipient gets what changed since their last one, so that a mail that failed is made up for by the next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage

from ponder.serve.digest.changes import last_id, notice, since
from ponder.serve.digest.letters import Letters
from ponder.serve.digest.mail import MailServer, Outcome, send_each
from ponder.serve.digest.store import DigestStore
from ponder.serve.digest.subscribers import Subscriber, Subscribers
from ponder.serve.papers.entries import entries

Pause = Callable[[float], None]


def send_digests(
    store: DigestStore, server: MailServer, site: str, to: Sequence[str] = (), date: str = "", pause: Pause = time.sleep
) -> Counter[str]:
    """Send the digest to the addresses `to`, or to all subscribers if there are none, and the mails that are still due.

    Args:
        site: where the server that takes the links is reached.
        date: tell of what changed since this day (YYYY-MM-DD), not since each one's last digest.
        pause: waits so many seconds.

    Returns:
        How many were "sent", "refused" for good, left for "later", had "nothing new", or have "unsubscribed".

    Raises:
        InputError: something in `to` is no address, or `date` no day; nothing was sent.
        MailError: the server cannot be used.
    """
    subscribers = Subscribers(store)
    if date:
        since(store, date=date)  # raises before anything is sent
    notice(store, entries())
    last, count = last_id(store), Counter[str]()
    named = [subscribers.given(address) for address in dict.fromkeys(to)]
    count["unsubscribed"] = named.count(None)
    letters = Letters(server, subscribers, site)

    def written() -> Iterator[tuple[str, EmailMessage]]:
        for person in [p for p in named if p] if to else subscribers.confirmed():
            changes = since(store, 0 if date else person.sent, date)
            if changes:
                yield person.id, letters.digest(person, changes)
            else:
                count["nothing new"] += 1

    for id, outcome in send_each(server, written(), pause):
        count[outcome] += 1
        if outcome == "sent":
            subscribers.sent(id, last)
        elif outcome == "refused":
            subscribers.refused(id)
    send_replies(subscribers, letters, pause)
    return count


def send_replies(subscribers: Subscribers, letters: Letters, pause: Pause = time.sleep) -> Counter[Outcome]:
    """Send the mails that are due to those who asked at the page. What cannot be sent now stays due."""
    count = Counter[Outcome]()
    due: list[Subscriber] = subscribers.due()
    for id, outcome in send_each(letters.server, ((person.id, letters.reply(person)) for person in due), pause):
        count[outcome] += 1
        if outcome != "later":
            subscribers.told(id)
    return count
