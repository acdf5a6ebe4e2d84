"""Drawing a search: the tree is the search's, everything is escaped, large searches stay small."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console
from tests.conftest import step_by_step

import ponder
from ponder.core.answer import Answer
from ponder.core.budget import Meter
from ponder.core.context import Trace, TraceStep
from ponder.core.errors import InputError
from ponder.core.language import Solution
from ponder.lm.scripted import ScriptedRewards
from ponder.picture.genealogy import genealogy
from ponder.picture.page import page
from ponder.picture.svg import MOST, svg
from ponder.picture.terminal import tree

TEXTS = {"a <b>\n\nc\n\n56": 0.5, "a <b>\n\nd\n\n54": 0.3, 'z & "q"\n\n55': 0.2}


def judged(solution: Solution) -> list[float]:
    return [0.9 if "c" in step or "a" in step else 0.4 for step in solution.steps]


def searched(method: str, keep: bool = True) -> Answer:
    return ponder.ask(
        "?", method=method, model=step_by_step(TEXTS), reward=ScriptedRewards(judged), trace=Trace(keep=keep), temperature=1.0
    )


def shown(answer: Answer) -> str:
    console = Console(width=150, record=True, file=None, quiet=False, force_terminal=False, no_color=True, stderr=True)
    with console.capture() as caught:
        console.print(tree(genealogy(answer)))
    return caught.get()


@pytest.mark.parametrize(
    "method",
    [
        "sample(6) | vote()",
        "particle_filter(16)",
        "beam_search(8, 2)",
        "dvts(8, 2)",
        "split(2, sample(2)) | vote()",
        "sample(2) + sample(3)",
    ],
)
def test_every_drawn_step_is_a_node_and_the_winner_leads_to_the_answer(method: str) -> None:
    answer = searched(method)
    search = genealogy(answer)
    drawn = {id(c.steps) for s in answer.trace.steps for x in (s.population.items if s.population else ()) for c in x.lineage if c.steps}
    assert search.size == len(drawn)
    line = [n for n in search.root.walk() if n.winner]
    assert line
    assert line[-1].value == answer.value
    assert "".join(n.text for n in line).removesuffix("\n\n") == answer.text
    assert not any(n.dropped for n in line)


def test_a_filter_shows_its_resamplings_and_who_was_dropped() -> None:
    search = genealogy(searched("start(32) | loop(extend() | weigh(odds(prm)) | resample(multinomial)) | argmax()"))
    assert [r.round for r in search.resamplings] == [0, 1, 2][: len(search.resamplings)]
    assert all(r.distinct <= r.size == 32 for r in search.resamplings)
    assert any(n.dropped.startswith("resample") for n in search.root.walk())
    assert any(n.copies > 1 for n in search.root.walk())


def test_equal_steps_are_drawn_as_one_and_nothing_is_lost() -> None:
    whole = genealogy(searched("particle_filter(16)")).root
    root = whole.condensed()
    for node in root.walk():
        assert len({(c.text, c.finished) for c in node.children}) == len(node.children)
    assert sum(n.drawn for n in root.walk()) == sum(1 for _ in whole.walk())
    assert sum(n.share for n in root.walk() if n.finished) == pytest.approx(
        sum(n.share for n in whole.walk() if n.finished and not n.dropped)
    )
    assert "".join(n.text for n in root.walk() if n.winner) == "".join(n.text for n in whole.walk() if n.winner)


def test_a_trace_without_populations_is_refused() -> None:
    with pytest.raises(InputError, match="keep=True"):
        genealogy(searched("sample(4)", keep=False))


def test_drawings_are_well_formed_and_escape_what_a_model_wrote() -> None:
    answer = searched("particle_filter(16)")
    search = genealogy(answer)
    ET.fromstring(svg(search))
    html = page("<script>?", answer, search)
    assert "<script>" not in html
    assert "<b>" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_large_searches_are_summarised() -> None:
    texts = {f"step {i}\n\n{i}": 1 / 500 for i in range(500)}
    answer = ponder.ask("?", method="start(900) | loop(extend()) | vote()", model=step_by_step(texts), trace=Trace(keep=True))
    search = genealogy(answer)
    assert search.size == 1800
    assert svg(search).count("<circle") <= MOST + 10
    assert "more" in shown(answer)
    assert len(shown(answer).splitlines()) < 200


def test_a_search_that_is_stopped_in_the_middle_answers_from_what_there_is() -> None:
    meter = Meter()

    def stop(step: TraceStep) -> None:
        if step.round == 1:
            meter.stop()

    texts = {"a\n\n54": 0.5, "a\n\nb\n\nc\n\nd\n\n56": 0.5}
    trace = Trace(listener=stop)
    answer = ponder.ask(
        "?", method="start(20) | loop(extend()) | vote()", model=step_by_step(texts), reads="number", meter=meter, trace=trace
    )
    assert answer.value == "54"
    assert any("stopped by the user" in note for note in answer.trace.notes)


def test_an_answer_whose_trace_keeps_populations_is_plain_json():
    answer = ponder.ask("?", method="start(4) | loop(extend()) | vote()", model=step_by_step({"a b": 1.0}), trace=Trace(keep=True))
    steps = json.loads(json.dumps(answer.to_dict()))["steps"]
    assert [s["stage"] for s in steps] == [s.stage for s in answer.trace.steps]
    assert all(s["size"] == 4 for s in steps if s["stage"].startswith("start"))
