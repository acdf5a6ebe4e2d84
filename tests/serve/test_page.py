"""The page, server side: the plain form, the events of a growing population, keys, other sites, past runs, untrusted text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.conftest import step_by_step

import ponder.serve.page as page_room
from ponder.bench.run import Plan, run
from ponder.bench.store import RunStore
from ponder.lm.scripted import Scripted
from ponder.methods import METHODS, parse
from ponder.serve.app import create_app
from ponder.serve.config import Config, Keys, Pages
from ponder.serve.engines import Engines
from ponder.serve.keys import KeyStore
from ponder.serve.page.pipeline_view import choices, describe
from ponder.tasks import load as load_task

HERE = "http://localhost"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> so the answer is 56."
STEPS = {"a\n\nc\n\n56": 0.5, "a\n\nd\n\n54": 0.3, "z\n\nq\n\n55": 0.2}
VENDORED = {
    "lit-html.js": "b878e7f95dec8a9b6e9b217faca6b6a11bad82ebc44c0caa77419ed83edd81f2",
    "lit-html.LICENSE": "2b66f9390afde29edfe4314daff93f01fb182e1178053e228120178987e5db75",
}


@pytest.fixture
def client() -> Iterator[TestClient]:
    engines = Engines({"steps": step_by_step(STEPS), "hostile": Scripted({HOSTILE: 1.0})})
    with TestClient(create_app(engines=engines), base_url=HERE) as made:
        yield made


def told(client: TestClient, **fields: str) -> list[dict[str, Any]]:
    reply = client.post("/ui/ask", data={"question": "?", "model": "steps", "seed": "3", **fields})
    assert reply.status_code == 200, reply.text
    return [json.loads(line[6:]) for line in reply.text.split("\n\n") if line.startswith("data: ")]


def test_the_population_is_told_as_it_grows_and_the_answer_stands_on_its_nodes(client: TestClient) -> None:
    events = told(client, method="particle_filter(8, likelihood)")
    assert [events[0]["kind"], events[-1]["kind"]] == ["begun", "done"]
    steps, known = [e for e in events if e["kind"] == "step"], {0: ""}
    assert len({e["round"] for e in steps}) >= 2
    for step in steps:
        for node in step["born"]:
            assert node["parent"] in known
            assert node["number"] not in known
            known[node["number"]] = known[node["parent"]] + node["text"]
        assert sum(copies for _, copies, _ in step["present"]) in (0, 1, 8)
        assert {number for number, *_ in step["present"]} | set(step["dropped"]) <= set(known)
        assert step["ess"] <= step["size"] + 1e-9
    assert any(step["dropped"] and "resample() drew 8 from" in step["note"] for step in steps)
    assert known[events[-1]["winners"][-1]].strip() == events[-1]["text"].strip()
    assert events[-1]["bill"]["tokens"] >= steps[-1]["tokens"] > 0


def test_what_the_model_writes_is_text_on_the_page(client: TestClient) -> None:
    reply = client.post(
        "/ask", data={"question": "<b>7 * 8?</b>", "model": "hostile", "method": "sample(4) | vote()", "method2": "sample(1)"}
    )
    assert reply.status_code == 200
    assert "<script>alert" not in reply.text
    assert "<img" not in reply.text
    assert "<b>7 * 8" not in reply.text
    assert reply.text.count('<p class="value">56</p>') == 2
    assert "<style" not in reply.text  # the policy would not apply it
    policy = reply.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_form_of_another_site_is_refused_and_nothing_is_asked(client: TestClient) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        for address in ("/ask", "/ui/ask", "/ui/stop/x", "/key"):
            assert client.post(address, data={"question": "?"}, headers=headers).status_code == 403
    assert client.post("/ui/stop/nobody").status_code == 204


def test_a_wrong_question_is_answered_by_the_form_that_still_holds_it(client: TestClient) -> None:
    reply = client.post("/ask", data={"question": "keep me", "model": "steps", "method": "sample(3) | vot()"})
    assert reply.status_code == 400
    assert "keep me" in reply.text
    assert "did you mean" in reply.text
    assert client.post("/ui/ask", data={"question": "", "model": "steps"}).status_code == 400
    assert client.post("/ui/ask", data={"question": "?", "model": "steps", "seed": "x"}).status_code == 400


def test_a_gateway_with_keys_asks_for_one_and_keeps_it_out_of_reach_of_scripts(tmp_path: Path) -> None:
    store = KeyStore(str(tmp_path / "keys.sqlite"))
    key = store.add("reader")
    store.close()
    config = Config(keys=Keys(file=str(tmp_path / "keys.sqlite")))
    with TestClient(create_app(config, engines=Engines({"steps": step_by_step(STEPS)})), base_url=HERE) as client:
        assert "asks for a key" in client.get("/").text
        for address in ("/ask", "/ui/ask"):
            assert client.post(address, data={"question": "?", "model": "steps"}).status_code == 401
        assert client.get("/runs").status_code == 401
        assert client.post("/key", data={"key": "ponder-no"}).status_code == 401
        kept = client.post("/key", data={"key": key}, follow_redirects=False)
        assert "httponly" in kept.headers["set-cookie"].lower()
        assert "samesite=strict" in kept.headers["set-cookie"].lower()
        assert client.get("/").status_code == 200
        assert told(client, method="sample(2) | vote()")[-1]["kind"] == "done"


def test_past_runs_are_shown_with_their_samples(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "first")
    methods = [parse("sample(4) | vote()"), parse("sample(1)")]
    run(Plan([load_task("times-tables", limit=3)], methods, {"m": Scripted({"7 * 8 = 56": 0.5, HOSTILE: 0.5})}), store)
    key = next(iter(store.keys()))
    store.close()
    app = create_app(Config(pages=Pages(runs=str(tmp_path))), engines=Engines({"steps": step_by_step(STEPS)}))
    with TestClient(app, base_url=HERE) as client:
        assert "first" in client.get("/runs").text
        shown = client.get("/runs/show", params={"name": "first"}).text
        assert '<svg class="plot"' in shown
        assert shown.count('<g class="point') == 2
        place = {"name": "first", "task": key[0], "method": "sample(4) | vote()"}
        assert client.get("/runs/answers", params=place).text.count("<li class=") == 3
        one = client.get("/runs/answer", params={**place, "seed": key[2], "problem": key[3]}).text
        assert one.count('<p class="text">') == 4
        assert "<script>alert" not in one
        for name in ("../first", "second", "/etc"):
            assert client.get("/runs/show", params={"name": name}).status_code == 404


def test_static_files_do_not_lead_out_of_their_folder(client: TestClient) -> None:
    assert client.get("/page/static/vendor/lit-html.js").headers["content-type"].startswith("text/javascript")
    for name in ("../routes.py", "%2e%2e/routes.py", "vendor", "nothing.js"):
        assert client.get(f"/page/static/{name}").status_code == 404


def test_the_vendored_module_is_the_published_one() -> None:
    folder = Path(page_room.__file__).parent / "static" / "vendor"
    assert {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()} == VENDORED


def test_every_named_method_can_be_chosen_and_drawn() -> None:
    offered = choices()
    assert {c.name for c in offered} == set(METHODS)
    for choice in offered:
        drawn = describe(choice.text)
        assert drawn["ok"], choice
        assert describe(drawn["written_out"])["written_out"] == drawn["written_out"]
        assert len(drawn["boxes"]) == 1


def test_a_method_is_drawn_as_nested_boxes_and_a_wrong_one_says_where() -> None:
    (union,) = describe("rpc(4) + split(2, sample(3) | vote())")["boxes"]
    assert union["name"] == "+"
    named, split = (part["boxes"][0] for part in union["inside"])
    assert (named["name"], [b["name"] for b in named["inside"][0]["boxes"]]) == ("rpc", ["sample", "weigh", "prune", "distinct", "vote"])
    assert (split["facts"], [b["proper"] for b in split["inside"][0]["boxes"]]) == ("2", [True, False])
    assert describe("sample(3) | vot()") == {"ok": False, "reason": "nothing is called 'vot'; did you mean 'vote'?", "position": 12}
