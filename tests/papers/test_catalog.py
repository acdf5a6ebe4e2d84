"""The catalog of papers: complete, consistent, and honest about what is built and what was measured."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from ponder.core.errors import InputError, PonderError
from ponder.papers import catalog
from ponder.papers.catalog import WINGS, find, papers, record, verdicts
from ponder.papers.report import Check, Report, Verdict


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def report_of(slug: str, passed: bool = True, **fields: object) -> Report:
    check = Check("figure", 1.0, "at least 1", passed)
    return Report(slug=slug, title="t", claim="c", checks=(check,), **fields)  # type: ignore[arg-type]


def test_papers_are_numbered_from_1_to_65_in_order():
    assert [p.number for p in papers()] == list(range(1, 66))


@pytest.mark.parametrize("field", ["slug", "title", "claim", "arxiv"])
def test_no_two_papers_share_a_field(field: str):
    values = [getattr(p, field) for p in papers() if getattr(p, field)]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("paper", papers(), ids=lambda p: p.slug)
def test_an_entry_is_complete_and_consistent(paper: catalog.Paper):
    assert re.fullmatch(r"[a-z0-9]+([-_][a-z0-9]+)*", paper.slug)
    assert paper.wing in WINGS
    assert paper.title == paper.title.strip() != ""
    assert re.search(r"\w", paper.authors)
    assert not paper.authors.endswith(",")
    assert len(paper.claim) > 60
    assert paper.claim.endswith(".")
    assert "unverified" not in paper.claim
    found = re.fullmatch(r"(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})", paper.arxiv)
    assert found, paper.arxiv
    assert len(found[3]) == (4 if int(found[1]) < 15 else 5), "ids have five digits since 2015"
    assert 0 <= paper.year - (2000 + int(found[1])) <= 2, "a paper is published within two years of its preprint"


def test_every_wing_has_papers():
    assert {p.wing for p in papers()} == set(WINGS)


@pytest.mark.parametrize("paper", [p for p in papers() if p.built], ids=lambda p: p.slug)
def test_code_of_a_built_paper_can_reproduce(paper: catalog.Paper):
    assert callable(importlib.import_module(paper.code).reproduce)


def test_find_takes_slugs_in_any_spelling_and_numbers():
    assert find("rpc").number == find(19).number == find("19").number == find(" RPC ").number == 19
    assert find("large-language-monkeys") is find("large_language_monkeys") is find(44)
    assert find("retro-reader").slug == "retro_reader"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("rcp", "did you mean rpc"),
        ("large-language-monkey", "large-language-monkeys"),
        ("qqqqqqq", "ponder papers"),
        (0, "1 to 65"),
        ("66", "1 to 65"),
    ],
)
def test_find_says_what_would_be_right(key: str | int, hint: str):
    with pytest.raises(InputError, match=re.escape(hint)):
        find(key)


def test_a_paper_that_is_not_built_says_so():
    paper = next(p for p in papers() if not p.built)
    assert paper.state == "not built"
    with pytest.raises(PonderError, match=rf"{paper.slug} is not built.*rpc"):
        paper.reproduce(quick=True, seed=0)


def test_reproduce_hands_everything_to_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "made_up_paper.py").write_text("def reproduce(quick, seed, out):\n    return quick, seed, out\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    fields = {**vars(find("rpc")), "code": "made_up_paper"}
    assert catalog.Paper(**fields).reproduce(quick=False, seed=7, out=tmp_path) == (False, 7, tmp_path)


def test_the_latest_verdict_is_remembered_and_replaces_the_earlier(own_home: Path):
    record(report_of("rpc", passed=True, seed=3, quick=True, seconds=2.04))
    assert find("rpc").state == "reproduced"
    measured = verdicts()["rpc"]
    assert (measured.seed, measured.quick, measured.seconds) == (3, True, 2.0)
    assert measured.command == "ponder papers run rpc --quick --seed 3"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", measured.date)
    record(report_of("large-language-monkeys", passed=True))
    record(report_of("rpc", passed=False, seed=4, quick=False))
    assert find("rpc").state == "does not reproduce"
    assert verdicts()["rpc"].seed == 4
    assert find(44).state == "reproduced"
    assert sorted(json.loads((own_home / "verdicts.json").read_text())) == ["large-language-monkeys", "rpc"]
    assert [p.name for p in own_home.iterdir()] == ["verdicts.json"], "no half-written files are left"


def test_only_papers_of_the_catalog_are_recorded(own_home: Path):
    with pytest.raises(InputError, match="no paper is called"):
        record(report_of("a-paper-of-my-own"))
    assert not own_home.exists()


def test_a_verdict_that_cannot_be_kept_says_where(own_home: Path, monkeypatch: pytest.MonkeyPatch):
    record(report_of("rpc", seed=1))
    before = (own_home / "verdicts.json").read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catalog.os, "replace", full)
    with pytest.raises(PonderError, match=r"rpc could not be kept in .*verdicts\.json.*No space"):
        record(report_of("rpc", seed=2))
    assert [p.name for p in own_home.iterdir()] == ["verdicts.json"]
    assert (own_home / "verdicts.json").read_text() == before


def test_a_home_that_is_no_folder_is_named(own_home: Path):
    own_home.write_text("a file")
    with pytest.raises(PonderError, match=r"verdicts\.json"):
        record(report_of("rpc"))


@pytest.mark.parametrize("damage", ["{", "[]", '{"rpc": 3}', '{"rpc": {"verdict": "reproduced"}}'])
def test_a_damaged_file_of_verdicts_is_named(own_home: Path, damage: str):
    own_home.mkdir()
    (own_home / "verdicts.json").write_text(damage)
    with pytest.raises(PonderError, match=r"verdicts\.json.*delete the file"):
        verdicts()


def test_shipped_verdicts_are_of_built_papers_and_say_how_they_were_measured():
    for slug, measured in verdicts().items():
        assert find(slug).slug == slug
        assert find(slug).built
        assert measured.verdict in get_args(Verdict)
        assert measured.command.startswith(f"ponder papers run {slug}")


@pytest.mark.parametrize("folder", sorted(catalog.shipped_reports().glob("*")), ids=lambda folder: folder.name)
def test_a_shipped_report_is_that_of_the_shipped_verdict(folder: Path):
    report, measured = json.loads((folder / "report.json").read_text(encoding="utf-8")), verdicts()[folder.name]
    assert [report[name] for name in ("slug", "verdict", "seed", "quick", "command")] == [
        folder.name, measured.verdict, measured.seed, measured.quick, measured.command
    ]  # fmt: skip
    assert {Path(figure).name for figure in report["figures"]} == {path.name for path in folder.iterdir()} - {"report.json"}
    assert all(path.stat().st_size < 300_000 for path in folder.iterdir())
