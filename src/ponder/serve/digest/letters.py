"""What the mails say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from ponder.papers.catalog import find
from ponder.serve.digest.changes import Change
from ponder.serve.digest.mail import MailServer, compose
from ponder.serve.digest.subscribers import Purpose, Subscriber, Subscribers
from ponder.serve.papers.render import render_text


@dataclass(frozen=True)
class Letters:
    """Writes mails.

    Attributes:
        server: whom they are from.
        subscribers: who signs the links.
        site: where the server is reached, as https://example.org.
    """

    server: MailServer
    subscribers: Subscribers
    site: str

    def digest(self, to: Subscriber, changes: Sequence[Change]) -> EmailMessage:
        """What changed, with a link that unsubscribes in one click."""
        link = self._link("unsubscribe", to)
        html = render_text("digest_mail.html", changes=[(c, find(c.slug)) for c in changes], site=self.site, unsubscribe=link)
        count = f"{len(changes)} {'paper' if len(changes) == 1 else 'papers'}"
        text = digest_text(changes, self.site) + f"\nUnsubscribe: {link}\n"
        return compose(self.server, to.address, f"ponder: news of {count}", text, html, link)

    def reply(self, to: Subscriber) -> EmailMessage:
        """To somebody who asked at the page: please confirm; or, if they had, how to unsubscribe."""
        known = to.state == "confirmed"
        purpose: Purpose = "unsubscribe" if known else "confirm"
        link = self._link(purpose, to)
        says = (
            "Somebody, perhaps you, asked for ponder's digest at this address. It gets the digest already. To stop it:"
            if known
            else "Somebody, perhaps you, asked for ponder's digest at this address. To get it, confirm within three days:"
        )
        subject = "ponder: you get the digest already" if known else "ponder: please confirm that you want the digest"
        html = render_text("reply_mail.html", says=says, link=link, purpose=purpose)
        return compose(self.server, to.address, subject, f"{says}\n\n{link}\n\nIf it was not you, do nothing.\n", html)

    def _link(self, purpose: Purpose, to: Subscriber) -> str:
        return f"{self.site}/papers/digest/{purpose}/{self.subscribers.token(purpose, to.id)}"


def digest_text(changes: Sequence[Change], site: str) -> str:
    """The digest as plain text, without the link to unsubscribe."""
    parts = []
    for change in changes:
        paper = find(change.slug)
        parts.append(f"{paper.title}\n{change.kind}: {change.says}\n{paper.claim}\n{site}/papers/{paper.slug}\n")
    return "What ponder measured on papers.\n\n" + "\n".join(parts)
