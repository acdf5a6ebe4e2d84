import json
import math
from pathlib import Path

import pytest

from ponder.core.errors import InputError
from ponder.papers.report import Check, Report, Table, verdict_of


def check(passed: bool, claim: bool = True) -> Check:
    return Check("<b>figure</b>", 0.123456, "at most [1]", passed, claim)


def report(**changes) -> Report:
    base = {"slug": "a-paper", "title": "A <paper>", "claim": "x & y", "checks": (check(True),)}
    return Report(**{**base, **changes})


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([check(True), check(True, False)], "reproduced"),
        ([check(True), check(False)], "partly"),
        ([check(True), check(False, False)], "partly"),
        ([check(False), check(True, False)], "does not reproduce"),
    ],
)
def test_the_verdict_follows_from_the_checks(checks, verdict):
    assert verdict_of(checks) == verdict
    assert report(checks=tuple(checks)).verdict == verdict


def test_what_is_untested_keeps_a_claim_from_being_reproduced():
    open_claim = report(untested="the <real> thing")
    assert open_claim.verdict == "partly"
    assert open_claim.to_dict()["untested"] == "the <real> thing"
    assert "Not tested: the <real> thing" in open_claim.to_text()
    assert "Not tested: the &lt;real&gt; thing" in open_claim.to_html()
    assert report(checks=(check(False),), untested="x").verdict == "does not reproduce"
    assert "Not tested" not in report().to_text() + report().to_html()


def test_a_report_without_a_claim_is_refused():
    with pytest.raises(InputError, match="tests a claim"):
        report(checks=(check(True, False),))


def test_json_has_no_numbers_that_json_lacks():
    table = Table("t", ("a", "b"), ((math.nan, 1), (math.inf, "x")))
    data = report(tables=(table,), checks=(Check("n", -math.inf, "", True),)).to_dict()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text)["tables"][0]["rows"] == [["nan", 1], ["inf", "x"]]
    assert data["command"] == "ponder papers run a-paper --quick --seed 0"


def test_the_terminal_shows_texts_as_they_are():
    text = report(checks=(check(False),), notes=("see [bold]this[/bold]",), tables=(Table("[t]", ("[c]",), (("[v]",),)),)).to_text()
    for part in ("does not reproduce", "<b>figure</b>", "at most [1]", "0.1235", "[bold]this[/bold]", "[t]", "[c]", "[v]", "FAILED"):
        assert part in text
    assert "\x1b" not in text
    assert "\x1b" in report().to_text(colour=True)


def test_the_page_is_escaped_and_holds_its_figures(tmp_path: Path):
    figure = tmp_path / "a.svg"
    figure.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page = report(figures=(figure,), notes=("<script>",), tables=(Table("<t>", ("<c>",), ((None,),)),)).to_html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "A &lt;paper&gt;" in page
    assert "<b>figure" not in page
    assert 'src="data:image/svg+xml;base64,' in page
    with pytest.raises(InputError, match=r"must be \.png"):
        report(figures=(tmp_path / "a.pdf",)).to_html()


def test_ragged_tables_are_refused():
    with pytest.raises(InputError, match="2 columns"):
        Table("t", ("a", "b"), ((1,),))
