"""The digest, through a real SMTP server on this machine: received, stopped, and no address shown to anybody else."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ponder.cli import main
from ponder.core.errors import InputError, PonderError
from ponder.papers.catalog import record
from ponder.papers.report import Check, Report
from ponder.serve.app import _explained
from ponder.serve.digest.addresses import read_address
from ponder.serve.digest.changes import last_id, newest, notice, since
from ponder.serve.digest.mail import MailError, MailServer, compose, read_server, send_each
from ponder.serve.digest.room import DigestSettings
from ponder.serve.digest.sending import send_digests
from ponder.serve.digest.store import DigestStore
from ponder.serve.digest.subscribers import AGES, BETWEEN, Subscribers
from ponder.serve.papers.entries import entries
from ponder.serve.papers.routes import router

SITE = "https://ponder.example"
ANN, BOB, CAT = "ann.secret@example.org", "bob.secret@example.org", "cat.secret@example.org"


class Post:
    """What a mail server was given; it refuses the addresses in `refuses` with a code of theirs."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], EmailMessage]] = []
        self.refuses: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))  # type: ignore[arg-type]
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for _, to, mail in self.mails if to == [address]]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def post() -> Iterator[Post]:
    handler = Post()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    handler.port = controller.port  # type: ignore[attr-defined]
    yield handler
    controller.stop()


def server_of(post: Any) -> MailServer:
    return MailServer("127.0.0.1", post if isinstance(post, int) else post.port, "none", "ponder@example.net", timeout=10)


@pytest.fixture
def store() -> Iterator[DigestStore]:
    store = DigestStore()
    yield store
    store.close()


@pytest.fixture
def client(post: Post) -> TestClient:
    app = FastAPI()
    app.state.digest_settings = DigestSettings(server_of(post), SITE)
    app.include_router(router)
    app.add_exception_handler(PonderError, _explained)
    return TestClient(app)


def measure(slug: str, passed: bool = True) -> None:
    record(Report(slug=slug, title="t", claim="c", checks=(Check("n", 1.0, "at least 1", passed),)))


def change_verdict() -> str:
    """Another verdict for AIW than it has."""
    measure("aiw", {e.paper.slug: e.state for e in entries()}["aiw"] != "reproduced")
    return "aiw"


def link(mail: EmailMessage, purpose: str) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    found = re.search(rf"{SITE}/papers/digest/{purpose}/\S+", part.get_content())
    assert found
    return urlsplit(found[0]).path


def quiet(seconds: float) -> None:
    """Instead of waiting."""


# --- changes ---


def test_changes_are_noticed_once_and_told_net(store: DigestStore):
    notice(store, entries())
    first = last_id(store)
    assert first == len([e for e in entries() if e.measured])
    notice(store, entries())
    assert last_id(store) == first, "nothing happened"
    change_verdict()
    notice(store, entries(), now=5e9)
    (told,) = since(store, first)
    assert (told.slug, told.kind) == ("aiw", "changed verdict")
    assert newest(store)[0] == told
    assert [c.slug for c in since(store, date="2100-01-01")] == ["aiw"]
    record(Report(slug="aiw", title="t", claim="c", checks=(Check("n", 1.0, "1", True),), verdict=told.before))  # type: ignore[arg-type]
    notice(store, entries(), now=5e9)
    assert since(store, first) == [], "it changed and changed back"
    with pytest.raises(InputError, match="YYYY"):
        since(store, date="yesterday")


def test_a_new_entry_is_told_and_with_its_verdict_as_one(store: DigestStore):
    known = entries()
    late = next(e for e in known if e.measured)
    without = [e for e in known if e is not late]
    notice(store, without)
    before = last_id(store)
    notice(store, [*without, type(late)(late.paper, None)])
    assert [(c.slug, c.kind) for c in since(store, before)] == [(late.paper.slug, "new entry")]
    notice(store, known)
    assert [(c.slug, c.kind) for c in since(store, before)] == [(late.paper.slug, "new verdict")]


# --- the page and the mail together ---


def test_subscribe_confirm_receive_unsubscribe(client: TestClient, post: Post, store: DigestStore, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    pages = [client.post("/papers/digest", data={"address": ANN})]
    (asked,) = post.to(ANN)
    assert send_digests(store, server_of(post), SITE)["sent"] == 0, "not confirmed yet"
    path = link(asked, "confirm")
    pages += [client.get(path), client.get(path)]
    assert Subscribers(store).confirmed() == [], "following the link alone confirms nothing"
    pages += [client.post(path), client.post(path)]
    assert send_digests(store, server_of(post), SITE)["nothing new"] == 1
    change_verdict()
    assert send_digests(store, server_of(post), SITE)["sent"] == 1
    assert send_digests(store, server_of(post), SITE)["sent"] == 0, "told once"
    mail = post.to(ANN)[-1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    assert f"{stop.scheme}://{stop.netloc}" == SITE
    assert mail.get_body(("html",)) is not None
    assert "Alice in Wonderland" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    pages.append(client.get(stop.path))
    assert len(Subscribers(store).confirmed()) == 1, "a scanner that follows the link stops nothing"
    one_click = client.post(stop.path, content="List-Unsubscribe=One-Click", headers={"sec-fetch-site": "cross-site"})
    pages += [one_click, client.post(stop.path)]
    assert [p.status_code for p in pages] == [200] * len(pages)
    change_verdict()
    assert send_digests(store, server_of(post), SITE)["sent"] == 0
    assert len(post.to(ANN)) == 2
    logged = "".join(r.getMessage() for r in caplog.records if r.name != "mail.log")  # that is the test's own mail server
    told = "".join(p.text + str(p.url) + str(p.headers) for p in pages) + logged + path + stop.path
    assert "secret" not in told, "an address is in no page, no address line, no log"
    assert all(ANN.encode() not in p.read_bytes() for p in store.folder.iterdir()), "it is deleted"


def test_the_reply_is_the_same_for_every_address(client: TestClient, post: Post, store: DigestStore):
    fresh = client.post("/papers/digest", data={"address": ANN})
    client.post(link(post.to(ANN)[0], "confirm"))
    again = client.post("/papers/digest", data={"address": ANN})
    assert (fresh.status_code, fresh.text) == (again.status_code, again.text)
    assert len(post.to(ANN)) == 1, "one mail an hour, however often it is asked for"
    late = Subscribers(store, clock=lambda: 9e9)
    assert late.ask(ANN)
    assert not late.ask(ANN)
    client.post("/papers/digest", data={"address": BOB})  # sends what is due
    assert link(post.to(ANN)[1], "unsubscribe"), "to one who has it, the mail says how to stop"


@pytest.mark.parametrize(
    "address", ["", "no-address", "a@b@c", "a@x.org\r\nBcc: b@x.org", "a b@x.org", "<a@x.org>", "a@x.org,b@x.org", "ä@x.org"]
)
def test_what_is_no_address_is_refused_and_not_repeated(client: TestClient, post: Post, address: str):
    reply = client.post("/papers/digest", data={"address": address})
    assert reply.status_code == 400
    assert post.mails == []
    assert not address or address not in reply.text
    with pytest.raises(InputError):
        read_address(address)


def test_asking_is_limited_and_kept_to_the_own_page(client: TestClient, post: Post):
    assert client.post("/papers/digest", data={"address": ANN}, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post("/papers/digest", content=b"address=" + b"a" * 20_000).status_code == 413
    replies = [client.post("/papers/digest", data={"address": f"p{i}@example.org"}) for i in range(12)]
    assert [r.status_code for r in replies] == [200] * 10 + [429] * 2
    assert replies[-1].headers["retry-after"] == "3600"


def test_links_serve_one_purpose_for_a_time(store: DigestStore, monkeypatch: pytest.MonkeyPatch):
    subscribers = Subscribers(store)
    subscribers.ask(ANN)
    (ann,) = subscribers.due()
    assert ANN not in repr(ann)
    confirm, stop = subscribers.token("confirm", ann.id), subscribers.token("unsubscribe", ann.id)
    assert not subscribers.confirm(stop, 0)
    assert not subscribers.unsubscribe(confirm)
    assert not subscribers.confirm(("J" if confirm[0] != "J" else "K") + confirm[1:], 0), "not what was signed"
    monkeypatch.setitem(AGES, "confirm", -1)
    assert not subscribers.confirm(confirm, 0)
    assert (store.folder / "digest.sqlite").stat().st_mode & 0o077 == 0
    assert (store.folder / "secret").stat().st_mode & 0o077 == 0


def test_who_never_confirms_is_forgotten(store: DigestStore):
    Subscribers(store, clock=lambda: BETWEEN).ask(ANN)
    Subscribers(store, clock=lambda: BETWEEN + AGES["confirm"] + 1).ask(BOB)
    assert [s.address for s in Subscribers(store).due()] == [BOB]


# --- trouble ---


def confirmed(store: DigestStore, *addresses: str) -> None:
    subscribers = Subscribers(store)
    for address in addresses:
        subscribers.ask(address)
    for person in subscribers.due():
        subscribers.told(person.id)
        subscribers.confirm(subscribers.token("confirm", person.id), 0)


def test_a_dead_server_loses_nothing(store: DigestStore, post: Post, caplog: pytest.LogCaptureFixture):
    confirmed(store, ANN, BOB)
    Subscribers(store).ask(CAT)
    pauses: list[float] = []
    count = send_digests(store, server_of(free_port()), SITE, pause=pauses.append)
    assert count["later"] == 2
    assert pauses == [2.0, 4.0] * 2, "tried three times for the digests and for the replies, not once a recipient"
    assert send_digests(store, server_of(post), SITE, pause=quiet)["sent"] == 2
    assert [len(post.to(a)) for a in (ANN, BOB, CAT)] == [1, 1, 1]
    assert "secret" not in caplog.text


def test_a_bounced_recipient_does_not_stop_the_others_and_is_given_up(store: DigestStore, post: Post):
    confirmed(store, ANN, BOB, CAT)
    post.refuses = {ANN: "550 no such person", BOB: "451 busy"}
    count = send_digests(store, server_of(post), SITE, pause=quiet)
    assert (count["sent"], count["refused"], count["later"]) == (1, 1, 1)
    post.refuses.pop(BOB)
    for _ in range(3):
        send_digests(store, server_of(post), SITE, pause=quiet)
    assert [len(post.to(a)) for a in (ANN, BOB, CAT)] == [0, 1, 1]
    assert {s.address for s in Subscribers(store).confirmed()} == {BOB, CAT}


def test_each_mail_has_one_recipient(store: DigestStore, post: Post):
    confirmed(store, ANN, BOB)
    send_digests(store, server_of(post), SITE, pause=quiet)
    for sender, to, mail in post.mails:
        assert (sender, len(to)) == ("ponder@example.net", 1)
        assert [a.addr_spec for a in mail["To"].addresses] == to
        assert all(other not in mail.as_string() for other in {ANN, BOB} - set(to))


def test_headers_take_no_line_break(post: Post):
    with pytest.raises(InputError, match="Subject"):
        compose(server_of(post), ANN, "hello\r\nBcc: x@example.org", "t", "h")


def test_servers_are_read_strictly():
    assert read_server("smtps://me@mail.example.org", ANN).port == 465
    assert read_server("mail.example.org:2525", ANN).tls == "starttls"
    assert read_server("smtp://127.0.0.1:25", ANN).tls == "none"
    assert "hidden" not in repr(read_server("smtp://mail.example.org", ANN, "hidden"))
    for wrong in ("http://x", "smtp://", "smtp://u:pw@x", "smtp://x:99999", "smtp://x/path"):
        with pytest.raises(InputError) as error:
            read_server(wrong, ANN)
        assert "pw" not in str(error.value)


def test_tls_that_is_asked_for_is_not_done_without(post: Post):
    server = MailServer("127.0.0.1", post.port, "starttls", "ponder@example.net")  # type: ignore[attr-defined]
    with pytest.raises(MailError, match="STARTTLS"):
        list(send_each(server, [("a", compose(server, ANN, "s", "t", "h"))], quiet))
    assert post.mails == []


# --- the command ---


def test_the_command_sends_to_whom_it_is_told(post: Post):
    line = ["digest", "--to", ANN, "--to", BOB, "--smtp", f"127.0.0.1:{post.port}", "--site", SITE, "--json"]  # type: ignore[attr-defined]
    reply = CliRunner().invoke(main, line)
    assert reply.exit_code == 0, reply.output
    assert json.loads(reply.output)["sent"] == 2
    assert "secret" not in reply.output
    subscribers = Subscribers(DigestStore())
    assert subscribers.unsubscribe(link(post.to(ANN)[0], "unsubscribe").rpartition("/")[2])
    change_verdict()
    reply = CliRunner().invoke(main, line)
    assert json.loads(reply.output) == {"sent": 1, "refused": 0, "later": 0, "nothing new": 0, "unsubscribed": 1}
    assert [len(post.to(a)) for a in (ANN, BOB)] == [1, 2]


def test_a_dry_run_shows_and_sends_nothing(post: Post):
    reply = CliRunner().invoke(main, ["digest", "--dry-run", "--json"])
    assert {c["paper"] for c in json.loads(reply.output)} == {e.paper.slug for e in entries() if e.measured}
    assert "Alice in Wonderland" in CliRunner().invoke(main, ["digest", "--dry-run"]).output
    assert post.mails == []
    refused = CliRunner().invoke(main, ["digest"])
    assert refused.exit_code == 2
    assert "--smtp" in refused.output
