"""The page in a real browser: the population grows before one's eyes, by keyboard, on a phone, in the dark, without scripts.

With PONDER_SCREENSHOTS=FOLDER set, the pictures of the documentation are written there on the way.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import step_by_step
from tests.serve.live import serving

from ponder.bench.run import Plan, run
from ponder.bench.store import RunStore
from ponder.lm.load import load
from ponder.lm.scripted import Scripted
from ponder.methods import parse
from ponder.serve.app import create_app
from ponder.serve.config import Config, Pages
from ponder.serve.engines import Engines
from ponder.tasks import load as load_task

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STEPS = {
    "Seven eights: 7 * 8\n\nthat is 7 * 4 * 2\n\n56": 0.4,
    "Seven eights: 7 * 8\n\nnearly 54\n\n54": 0.3,
    "Eight sevens\n\n5 * 8 + 2 * 8\n\n56": 0.3,
}
SHOTS = os.environ.get("PONDER_SCREENSHOTS", "")


def tables(prompt: str) -> dict[str, float]:
    a, b = map(int, re.findall(r"\d+", prompt)[-2:])
    return {f"The answer is {a * b}.": 0.55, f"The answer is {a * b - 2}.": 0.3, f"The answer is {a + b}.": 0.15}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("runs")
    store = RunStore(folder / "times-tables")
    methods = [parse(text) for text in ("sample(1)", "sample(4) | vote()", "sample(16) | vote()")]
    run(Plan([load_task("times-tables", limit=6)], methods, {"m": Scripted(tables)}), store)
    store.close()
    engines = Engines({"scripted": step_by_step(STEPS), "smollm2": load("smollm2")})
    with serving(create_app(Config(pages=Pages(runs=str(folder))), engines)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def opened(browser: Any, site: str) -> Iterator[Any]:
    """Opens pages, and at the end refuses console errors and requests to other hosts."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def make(address: str = "/", **options: Any) -> Any:
        context = browser.new_context(base_url=site, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(site) else wrong.append(f"request to {r.url}"))
        page.goto(address)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def picture(page: Any, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        whole = page.evaluate("({width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight})")
        page.screenshot(
            path=str(Path(SHOTS) / f"{name}.png"),
            full_page=True,
            clip={"x": 0, "y": 0, "width": whole["width"], "height": min(1500, whole["height"])},
        )


def accessible(page: Any) -> None:
    """No serious violation of what axe-core checks. Its script comes in through the debugger, past the page's policy."""
    axe = pytest.importorskip("axe_playwright_python.base")
    page.evaluate(axe.AXE_SCRIPT)
    found = page.evaluate("axe.run()")["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []


@pytest.mark.model
def test_the_embedded_model_is_asked_and_the_population_grows(opened: Any) -> None:
    page = opened(viewport={"width": 1100, "height": 900})
    page.get_by_label("Question").fill("What is 7 * 8?")
    page.get_by_label("Method", exact=True).fill("until(confident(0.999), sample(1), limit=4) | vote()")
    page.get_by_text("Model, budget, seed").click()
    page.locator("#model").select_option("smollm2")
    page.get_by_label("Seed").fill("1")
    page.get_by_label("Longest sample, tokens").fill("24")
    page.evaluate(
        "window.sizes = []; new MutationObserver(() => window.sizes.push(document.querySelectorAll('svg circle').length))"
        ".observe(document.querySelector('[data-results]'), {childList: true, subtree: true})"
    )
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".bill", timeout=120_000)
    sizes = page.evaluate("window.sizes")
    assert sizes == sorted(sizes)
    assert len({s for s in sizes if s}) >= 3
    assert page.locator(".result .value").count() == 1
    picture(page, "page-asked")
    accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_methods_side_by_side_in_light_and_dark(opened: Any, scheme: str) -> None:
    page = opened(viewport={"width": 1100, "height": 900}, color_scheme=scheme)
    accessible(page)
    page.get_by_label("Question").fill("What is 7 * 8?")
    page.locator("#method").fill("particle_filter(16, likelihood)")
    page.get_by_text("Compare with a second method").click()
    page.locator("#method2").fill("sample(16) | vote()")
    page.wait_for_selector("#method2-said .box")
    page.get_by_text("Model, budget, seed").click()
    page.get_by_label("Seed").fill("1")
    page.get_by_role("button", name="Ask", exact=True).click()
    for i in range(2):
        page.locator(".result .bill").nth(i).wait_for()
    assert page.locator(".result .value").all_inner_texts() == ["56", "56"]
    assert page.locator("svg .v").count() >= 3
    page.locator("svg circle").nth(2).click()
    page.locator(".chosen").wait_for()  # drawn with the browser's next frame
    accessible(page)
    picture(page, f"page-compare-{scheme}")


def test_a_wrong_method_says_where_while_one_types(opened: Any) -> None:
    page = opened()
    page.locator("#method").fill("sample(3) | vot()")
    page.wait_for_selector(".problem")
    assert page.locator(".place mark").inner_text() == "v"
    page.get_by_role("button", name="Go to character 13").click()
    page.keyboard.type("vote")
    assert page.evaluate("document.activeElement.id") == "method"


def test_by_keyboard_alone(opened: Any) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(5):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.type("What is 7 * 8?")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".bill")
    assert page.get_by_role("status").inner_text() in ("The answer is 56.", "The answer is 54.")  # the seed is drawn


def test_on_a_phone_nothing_scrolls_sideways(opened: Any) -> None:
    page = opened(viewport={"width": 320, "height": 640})
    page.get_by_label("Question").fill("What is 7 * 8?")
    page.locator("#method").fill("particle_filter(16, likelihood)")
    page.wait_for_selector(".box")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".bill")
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 320
    picture(page, "page-phone")
    page.goto("/runs/show?name=times-tables")
    assert page.evaluate(wide) == 320


def test_without_scripts_the_form_gets_a_page_with_the_answer(opened: Any) -> None:
    page = opened(java_script_enabled=False)
    page.get_by_label("Question").fill("What is 7 * 8?")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert page.locator(".value").inner_text() in ("56", "54")  # the seed is drawn
    assert page.locator(".drawing circle").count() > 1


def test_past_runs_and_their_plot(opened: Any) -> None:
    page = opened("/runs", viewport={"width": 1100, "height": 800})
    page.get_by_role("link", name="times-tables").click()
    assert page.locator(".plot .point").count() == 3
    accessible(page)
    picture(page, "page-run")
    page.get_by_role("link", name="sample(4) | vote()").click()
    page.locator(".list a").first.click()
    assert page.locator(".candidates .text").count() == 4
