"""The papers in a real browser: found while one types, run by a button that is watched, without a script as well."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.serve.live import serving
from tests.serve.test_page_browser import CHROMIUM, FLAGS, accessible

from ponder.lm.scripted import Scripted
from ponder.papers.report import Check, Report
from ponder.serve.app import create_app
from ponder.serve.config import Config
from ponder.serve.engines import Engines
from ponder.serve.papers.room import PapersRoom, PapersSettings
from ponder.serve.papers.runs import Runs

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium on this machine")
MAKE = "import pathlib, sys; f = pathlib.Path(sys.argv[2], 'rpc'); f.mkdir(); (f / 'report.json').write_text(sys.argv[1])"


def test_search_run_and_read_in_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    api = pytest.importorskip("playwright.sync_api")
    report = Report(slug="rpc", title="t", claim="c", checks=(Check("share of right answers", 0.5, "at least .4", True),))
    room = PapersRoom(PapersSettings())
    room.runs = Runs(room.reports, command=lambda slug, folder: [sys.executable, "-c", MAKE, json.dumps(report.to_dict()), str(folder)])
    app = create_app(Config(), Engines({"scripted": Scripted({"yes": 1.0})}))
    app.state.papers = room
    wrong: list[str] = []
    with serving(app) as url, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(base_url=url, color_scheme="dark", viewport={"width": 390, "height": 800})
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
        page.goto("/papers")
        accessible(page)
        page.get_by_label("Search").press_sequentially("weibull mix")
        page.wait_for_url("**/papers?q=weibull+mix*")
        assert "Self-Consistency" in page.locator("#results li").first.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
        page.goto("/papers/rpc")
        accessible(page)
        page.get_by_role("button", name="Run the quick reproduction").press("Enter")
        page.get_by_text("share of right answers").wait_for()
        accessible(page)
        page.goto("/papers/digest")
        accessible(page)
        plain = browser.new_context(base_url=url, java_script_enabled=False).new_page()
        plain.goto("/papers")
        plain.get_by_label("Search").fill("monkeys")
        plain.get_by_role("button", name="Search").click()
        assert "Monkeys" in plain.locator("#results li").first.inner_text()
        browser.close()
    assert wrong == []
