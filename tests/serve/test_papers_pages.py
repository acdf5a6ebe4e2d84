"""The papers as pages: listing, search, a page a paper, the run button, the feed."""

from __future__ import annotations

import json
import re
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError, PonderError
from ponder.papers.catalog import find, papers, record
from ponder.papers.report import Check, Report
from ponder.serve.app import _explained
from ponder.serve.papers.encoder import load_encoder
from ponder.serve.papers.entries import entries, names_of, only
from ponder.serve.papers.render import render_text
from ponder.serve.papers.room import PapersSettings, room_of
from ponder.serve.papers.routes import router
from ponder.serve.papers.runs import QueueFull, Runs
from ponder.serve.papers.search import BEGIN, END, Hit, Index

ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.add_exception_handler(PonderError, _explained)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def slugs(page: str) -> list[str]:
    return re.findall(r'<h2><a href="/papers/([^"]+)"', page)


def report_of(slug: str, **fields: object) -> Report:
    return Report(slug=slug, title="t", claim="c", checks=(Check("share <b>", 0.25, "at least 1", False),), **fields)  # type: ignore[arg-type]


# --- listing ---


def test_all_papers_are_listed_and_the_newest_verdict_first(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    class Tomorrow(__import__("datetime").datetime):
        @classmethod
        def now(cls, tz: object = None) -> object:
            return cls(2099, 1, 2)

    monkeypatch.setattr("ponder.papers.catalog.datetime.datetime", Tomorrow)
    record(report_of("linc"))
    shown = slugs(client.get("/papers").text)
    assert shown[0] == "linc"
    assert sorted(shown) == sorted(p.slug for p in papers())
    states = [e.state for e in entries()]
    first_unbuilt = states.index("not built")
    assert set(states[first_unbuilt:]) == {"not built"}


def test_filters_narrow_the_list(client: TestClient):
    shown = slugs(client.get("/papers", params={"wing": "causal inference", "verdict": "not built"}).text)
    assert set(shown) == {e.paper.slug for e in entries() if e.paper.wing == "causal inference" and e.state == "not built"}
    assert only(entries(), state="no such") == ()


def test_pages_work_without_a_script_and_run_none_inline(client: TestClient):
    for address in ("/papers?q=vote", "/papers/rpc", "/papers/digest"):
        reply = client.get(address)
        assert "default-src 'self'" in reply.headers["content-security-policy"]
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", reply.text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', reply.text), "nothing from another host"
    assert re.search(r'<form method="get" action="/papers"', client.get("/papers").text)
    assert client.get("/papers/static/papers.js").headers["content-type"].startswith("text/javascript")


def test_what_is_asked_is_escaped(client: TestClient):
    assert "<img" not in client.get("/papers", params={"q": '"><img src=x>', "wing": "<img>"}).text


def test_marks_stand_in_escaped_text():
    page = render_text("_results.html", rows=[(entries()[0], Hit("rpc", "words", f"{BEGIN}<b>{END}", "<i>"))])
    assert "<mark>&lt;b&gt;</mark>" in page
    assert "<i>" not in page


# --- search ---


def test_words_are_found_while_they_are_typed():
    index = Index(papers())
    for typed in ("monk", "monke", "MONKEYS", "large language monk"):
        assert index.search(typed)[0].slug == "large-language-monkeys"
    assert {h.slug for h in index.search("olausson")} == {"linc"}, "authors"
    assert {h.slug for h in index.search("2405.03553")} >= {"alphamath"}, "arXiv ids"
    assert f"{BEGIN}Monkeys{END}" in index.search("monkeys")[0].title


def test_all_words_count_before_any():
    both = Index(papers()).search("particle monte")
    assert both[0].slug == "particle-monte-carlo"
    texts = {p.slug: f"{p.title} {p.slug} {p.claim}".lower() for p in papers()}
    assert all("particle" in texts[h.slug] for h in both)
    assert Index(papers()).search("monkeys xyzzy")[0].slug == "large-language-monkeys", "none has both: any will do"
    assert {h.slug for h in Index(papers()).search("monkeys to the xyzzy")} == {h.slug for h in Index(papers()).search("monkeys")}
    assert Index(papers()).search("xyzzy") == Index(papers()).search("") == Index(papers()).search("*:\"'") == ()


@given(st.text(max_size=60) | st.text(alphabet='"*:()^-+ANDORNEARab{}', max_size=40))
def test_no_text_breaks_the_search(text: str):
    assert len(Index(papers()[:3]).search(text)) <= 3


class Counting:
    """A fake encoder: how often each of four letters stands in the text."""

    calls = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        return np.array([[text.count(c) for c in "qjzx"] for text in texts], dtype=float)


def test_papers_near_in_meaning_follow_those_with_the_words():
    encoder = Counting()
    index = Index(papers(), encoder)
    hits = index.search("zzz")
    assert hits
    assert {hit.by for hit in hits} == {"meaning"}
    index.search("zz")
    assert encoder.calls == 3, "the papers are encoded once"
    mixed = index.search("horizon zzz monkeys")
    order = [hit.by for hit in mixed]
    assert order == sorted(order, reverse=True), "words come first"
    assert len({hit.slug for hit in mixed}) == len(mixed), "no paper twice"


def test_an_encoder_is_taken_from_a_folder(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "particle", "filter", "vote"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 32}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **sizes)).save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path)
    alone = encoder.encode(["particle filter"])
    assert alone.shape == (1, 8)
    np.testing.assert_allclose(encoder.encode(["vote", "particle filter"])[1], alone[0], atol=1e-5)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}', encoding="utf-8")
    with pytest.raises(InputError, match="mean"):
        load_encoder(tmp_path)
    with pytest.raises(InputError, match=r"config\.json"):
        load_encoder(tmp_path / "nowhere")


# --- a page a paper ---


def test_a_paper_has_its_claim_and_how_to_call_it(client: TestClient):
    page = client.get("/papers/rpc").text
    assert "ponder papers run rpc --quick" in page
    assert 'action="/papers/rpc/run"' in page
    assert "rpc" in names_of(find("rpc").arxiv)
    assert client.get("/papers/44", follow_redirects=False).headers["location"] == "/papers/large-language-monkeys"
    unbuilt = next(p for p in papers() if not p.built)
    assert "action=" not in client.get(f"/papers/{unbuilt.slug}").text
    assert client.post(f"/papers/{unbuilt.slug}/run").status_code == 404
    assert client.get("/papers/rcp").status_code == 404


def test_a_kept_report_is_shown_and_its_figures_alone(client: TestClient, own_home: Path):
    folder = own_home / "reports" / "rpc"
    folder.mkdir(parents=True)
    (folder / "accuracy.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "secret.txt").write_text("no", encoding="utf-8")
    made = report_of("rpc", figures=(Path("/elsewhere/accuracy.svg"), Path("gone.png")), notes=("note <i>",))
    (folder / "report.json").write_text(json.dumps(made.to_dict()), encoding="utf-8")
    page = client.get("/papers/rpc").text
    assert "share &lt;b&gt;" in page
    assert "note &lt;i&gt;" in page
    assert re.findall(r'<img src="([^"]+)"', page) == ["/papers/rpc/figures/accuracy.svg"]
    figure = client.get("/papers/rpc/figures/accuracy.svg")
    assert figure.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in figure.headers["content-security-policy"]
    for name in ("secret.txt", "..%2Fother.svg", "gone.png"):
        assert client.get(f"/papers/rpc/figures/{name}").status_code == 404


# --- the run button ---

MAKE = "import pathlib, sys; f = pathlib.Path(sys.argv[2], sys.argv[1]); f.mkdir(); (f / 'report.json').write_text('{}')"


def made_by(code: str):
    return lambda slug, folder: [sys.executable, "-c", code, slug, str(folder)]


def test_a_run_leaves_its_report_and_nothing_else(tmp_path: Path):
    runs = Runs(tmp_path, command=made_by(MAKE))
    for _ in range(2):  # the second takes the place of the first
        runs.submit("rpc")
        runs.join()
        done = runs.latest("rpc")
        assert done is not None
        assert (done.state, done.problem) == ("done", "")
    assert [p.name for p in tmp_path.iterdir()] == ["rpc"]


def test_a_run_that_fails_says_why_and_leaves_the_old_report(tmp_path: Path):
    (tmp_path / "rpc").mkdir()
    (tmp_path / "rpc" / "report.json").write_text("old", encoding="utf-8")
    for code, why in (("import sys; sys.exit('ponder: no such model')", "ponder: no such model"), ("", "no report")):
        runs = Runs(tmp_path, command=made_by(code))
        runs.submit("rpc")
        runs.join()
        failed = runs.latest("rpc")
        assert failed is not None
        assert failed.state == "failed"
        assert why in failed.problem
    assert (tmp_path / "rpc" / "report.json").read_text(encoding="utf-8") == "old"


def test_one_runs_at_a_time_the_queue_ends_and_closing_stops_it(tmp_path: Path):
    started = threading.Event()

    def command(slug: str, folder: Path) -> list[str]:
        started.set()
        return [sys.executable, "-c", "input() if 0 else __import__('signal').pause()"]

    runs = Runs(tmp_path, limit=2, command=command)
    assert runs.submit("rpc").asked == runs.submit("rpc").asked, "asking again gives the run that waits"
    assert started.wait(20)
    runs.submit("linc")
    with pytest.raises(QueueFull):
        runs.submit("aiw")
    assert (runs.ahead("rpc"), runs.ahead("linc")) == (0, 1)
    runs.close()
    assert [runs.latest(s).state for s in ("rpc", "linc")] == ["failed", "failed"]  # type: ignore[union-attr]
    with pytest.raises(QueueFull):
        runs.submit("aiw")


def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path):
    runs = Runs(tmp_path, seconds=0.2, command=made_by("__import__('signal').pause()"))
    runs.submit("rpc")
    runs.join(20)
    assert "longer than" in runs.latest("rpc").problem  # type: ignore[union-attr]


def test_the_button_queues_a_run_and_shows_it(app: FastAPI, client: TestClient):
    request = type("Request", (), {"app": app})()
    room = room_of(request)  # type: ignore[arg-type]
    room.runs = Runs(room.reports, command=made_by(MAKE.replace("{}", json.dumps(report_of("rpc").to_dict()).replace('"', '\\"'))))
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}):
        assert client.post("/papers/rpc/run", headers=headers).status_code == 403
    reply = client.post("/papers/rpc/run", headers={"origin": "http://testserver"}, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/papers/rpc#run")
    room.runs.join()
    assert 'data-run="done"' in client.get("/papers/rpc/run").text
    assert "share &lt;b&gt;" in client.get("/papers/rpc").text


def test_the_button_can_be_left_out(app: FastAPI):
    app.state.papers_settings = PapersSettings(run=False)
    client = TestClient(app)
    assert 'action="/papers/rpc/run"' not in client.get("/papers/rpc").text
    assert client.post("/papers/rpc/run").status_code == 404


# --- the feed ---


def test_the_feed_is_valid_atom_and_its_ids_stay(client: TestClient):
    def read() -> ET.Element:
        reply = client.get("/papers/feed.atom")
        assert reply.headers["content-type"].startswith("application/atom+xml")
        return ET.fromstring(reply.content)

    root = read()
    entries_before = root.findall("a:entry", ATOM)
    assert len(entries_before) == len([e for e in entries() if e.measured])
    for element in (root, *entries_before):  # RFC 4287, 4.1.1 and 4.1.2: exactly one each
        for name in ("id", "title", "updated"):
            found = element.findall(f"a:{name}", ATOM)
            assert len(found) == 1
            assert found[0].text
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", element.findtext("a:id", "", ATOM))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", element.findtext("a:updated", "", ATOM))
        assert element.find("a:link[@rel='alternate']", ATOM) is not None
    assert root.findtext("a:author/a:name", "", ATOM)
    assert root.find("a:link[@rel='self']", ATOM) is not None
    ids = [e.findtext("a:id", "", ATOM) for e in entries_before]
    assert len(set(ids)) == len(ids)
    before = {e.paper.slug: e.state for e in entries()}["aiw"]
    record(report_of("aiw", verdict="reproduced" if before != "reproduced" else "partly"))
    after = read().findall("a:entry", ATOM)
    assert [e.findtext("a:id", "", ATOM) for e in after][1:] == ids
    assert f"before: {before}" in after[0].findtext("a:title", "", ATOM)
