import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ponder.bench.plots import Point, accuracy_against_tokens, coverage_plot
from ponder.bench.scaling import fit_power_law
from ponder.bench.stats import coverage
from ponder.core.errors import InputError, MissingExtra

POINTS = [
    Point("greedy", 310, 0.42, 0.36, 0.48),
    Point("self_consistency(16)", 2950, 0.55, 0.49, 0.61),
    Point("rpc(16)", 3050, 0.551, 0.49, 0.61),
    Point("beam_search(4, 4)", 5200, 0.5, 0.44, 0.56),
]


def shape(file):
    """Width and height from the header of a PNG."""
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def test_both_files_are_written_and_are_the_same_every_time(tmp_path):
    first = accuracy_against_tokens(POINTS, tmp_path / "deep" / "a.b", "A title")
    second = accuracy_against_tokens(POINTS, tmp_path / "c", "A title")
    assert [f.name for f in first] == ["a.b.png", "a.b.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert min(shape(first[0])) >= 600
    assert ET.parse(first[1]).getroot().tag.endswith("svg")
    assert b"<dc:date>" not in first[1].read_bytes()


def test_labels_do_not_cover_one_another(tmp_path, monkeypatch):
    import ponder.bench.plots as plots

    seen = []
    monkeypatch.setattr(plots, "save", lambda figure, stem: seen.append(figure) or (stem, stem))
    accuracy_against_tokens(POINTS, tmp_path / "a")
    figure = seen[0]
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in axes.texts]
    assert [t.get_text() for t in axes.texts] == ["greedy", "self_consistency(16)", "rpc(16)", "beam_search(4, 4)"]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert axes.get_window_extent(renderer).containsx(box.x0)
        assert axes.get_window_extent(renderer).containsx(box.x1)
    front = axes.lines[0].get_xydata()
    assert front[:, 0].tolist() == [310, 2950, 3050]


def test_a_single_point_and_extreme_costs_can_be_drawn(tmp_path):
    accuracy_against_tokens([Point("one", 1, 0, 0, 0)], tmp_path / "a")
    accuracy_against_tokens([Point("a", 1, 1, 1, 1), Point("b", 1e9, 1, 1, 1)], tmp_path / "b")


def test_coverage_with_its_fit(tmp_path):
    rng = np.random.default_rng(0)
    curve = coverage((256, rng.binomial(256, rng.beta(0.6, 2, 64))), [1, 2, 4, 16, 64, 256])
    files = [coverage_plot({"small": curve}, tmp_path / name, {"small": fit_power_law(curve.ks, curve.values)}) for name in "ab"]
    assert files[0][1].read_bytes() == files[1][1].read_bytes()
    with pytest.raises(InputError, match="a curve for every fit"):
        coverage_plot({"small": curve}, tmp_path / "a", {"large": fit_power_law(curve.ks, curve.values)})


@pytest.mark.parametrize("bad", [(0, 0.5, 0.4, 0.6), (10, 0.5, 0.6, 0.7), (10, 0.5, 0.4, 1.2), (float("nan"), 0.5, 0.4, 0.6)])
def test_impossible_points_are_refused(bad):
    with pytest.raises(InputError):
        Point("x", *bad)


def test_nothing_to_draw_and_nothing_to_draw_with(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no points"):
        accuracy_against_tokens([], tmp_path / "a")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"ponder\[bench\]"):
        accuracy_against_tokens(POINTS, tmp_path / "a")
