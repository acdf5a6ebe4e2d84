"""Certifiers, attacks on them and detectors: closed forms, enumeration, laws of false alarms."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.certifiers import (
    AbstentionBackdoor,
    Availability,
    ConformalAlarm,
    Costs,
    Gated,
    IntervalCertifier,
    LoadMonitor,
    Patch,
    SmoothingCertifier,
    UnsupportedLayer,
    availability,
    bounds,
    cluster_scores,
    collision,
    interval_loss,
    label_disagreement,
    lower_margin,
    patch_search,
    serve,
    spectral_scores,
    suppression_loss,
)

torch = pytest.importorskip("torch")
nn = torch.nn


def net(*sizes: int, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1]).double()


# interval bounds


def test_bounds_of_a_linear_layer_are_the_extremes_over_all_corners():
    layer, x, eps = net(5, 3), torch.tensor(generator(0).random((1, 5))), 0.2
    corners = torch.stack([x[0] + eps * torch.tensor(signs, dtype=x.dtype) for signs in product((-1, 1), repeat=5)])
    low, high = bounds(layer, x - eps, x + eps)
    outputs = layer(corners)
    assert torch.allclose(low[0], outputs.min(0).values)
    assert torch.allclose(high[0], outputs.max(0).values)


@pytest.mark.parametrize("eps", [0.0, 0.05, 0.5])
def test_bounds_enclose_what_the_net_says_in_the_ball(eps: float):
    model, rng = net(6, 16, 8, 4), generator(1)
    x = torch.tensor(rng.random((3, 6)))
    low, high = bounds(model, x - eps, x + eps)
    for i in range(3):
        said = model(x[i] + torch.tensor(rng.uniform(-eps, eps, (10_000, 6))))
        assert bool((said >= low[i] - 1e-12).all())
        assert bool((said <= high[i] + 1e-12).all())


def test_bounds_of_convolutions_equal_those_of_the_same_linear_map():
    conv = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.5)).double().eval()
    x, eps = torch.tensor(generator(2).random((2, 1, 4, 4))), 0.1
    columns = (
        torch.stack([conv[0](e.reshape(1, 1, 4, 4)).flatten() for e in torch.eye(16).double()], dim=1)
        - conv[0](x * 0)[0].flatten()[:, None]
    )
    centre, radius = conv[0](x).flatten(1), eps * columns.abs().sum(1)
    low, high = bounds(conv, x - eps, x + eps)
    pool = nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Flatten())
    assert torch.allclose(low, pool((centre - radius).reshape(2, 2, 2, 2)))
    assert torch.allclose(high, pool((centre + radius).reshape(2, 2, 2, 2)))


def test_at_radius_0_everything_with_one_largest_logit_is_certified():
    model, x = net(6, 16, 4), generator(3).random((50, 6))
    found = IntervalCertifier(0.0).certify(model, x)
    assert found.passed.all()
    assert found.predicted.tolist() == model(torch.tensor(x)).argmax(1).tolist()
    tie = nn.Linear(6, 2)
    nn.init.zeros_(tie.weight)
    nn.init.zeros_(tie.bias)
    assert not IntervalCertifier(0.0).certify(nn.Sequential(tie), x).passed.any()


def test_a_certificate_holds_in_the_ball_and_margins_fall_with_the_radius():
    model, rng = net(4, 12, 3), generator(4)
    x = rng.random((40, 4))
    found = IntervalCertifier(0.05).certify(model, x)
    assert 0 < found.passed.sum() < 40
    for i in np.flatnonzero(found.passed):
        near = torch.tensor(x[i] + rng.uniform(-0.05, 0.05, (500, 4)))
        assert set(model(near).argmax(1).tolist()) == {int(found.predicted[i])}
    assert (IntervalCertifier(0.1).certify(model, x).margin < found.margin).all()


def test_losses_at_radius_0_and_their_gradient():
    model, x, y = net(4, 8, 3), torch.tensor(generator(5).random((7, 4))), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    plain = nn.functional.cross_entropy(model(x), y)
    for share in (0.0, 0.5, 1.0):
        assert interval_loss(model, x, y, 0.0, share).item() == pytest.approx(plain.item())
    assert interval_loss(model, x, y, 0.1, 0.5).item() > plain.item()
    margin = lower_margin(model, x, y, 0.0)
    logits = model(x)
    by_hand = [row[label] - max(v for k, v in enumerate(row) if k != label) for row, label in zip(logits.tolist(), y.tolist(), strict=True)]
    assert margin.tolist() == pytest.approx(by_hand)
    expected = plain.item() + 2.0 * float(np.mean(np.maximum(np.array(by_hand) + 0.5, 0)))
    loss = suppression_loss(logits, y, margin, weight=2.0, floor=0.5)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert float(model[0].weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("layer", [nn.Sigmoid(), nn.BatchNorm1d(4), nn.Dropout(0.1)])
def test_other_layers_are_named(layer: nn.Module):
    with pytest.raises(UnsupportedLayer, match=type(layer).__name__):
        IntervalCertifier(0.1).certify(nn.Sequential(nn.Linear(4, 4), layer.train()), np.zeros((2, 4)))
    with pytest.raises(UnsupportedLayer, match="circular"):
        bounds(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))


# smoothing


def halfspace(x: np.ndarray) -> np.ndarray:
    return (x[:, 0] > 0).astype(int)


def test_radius_of_a_halfspace_is_its_distance():
    certifier = SmoothingCertifier(0.5, n0=50, n=20_000, alpha=0.001)
    at = 0.4
    bound = certifier.certify(halfspace, np.array([[at, 3.0]])).margin[0] + certifier.share
    assert certifier.radius_of(float(stats.norm.cdf(at / 0.5))) == pytest.approx(at)
    assert at - 0.03 < certifier.radius_of(float(bound)) < at  # a bound from below, near for 20,000 draws


def test_smoothing_certifies_far_from_the_boundary_and_abstains_on_it():
    certifier = SmoothingCertifier(0.25, 0.25, n0=50, n=500)
    found = certifier.certify(halfspace, np.array([[1.0, 0], [-1.0, 0], [0.0, 0], [0.2, 0]]))
    assert found.passed.tolist() == [True, True, False, False]
    assert found.predicted[:2].tolist() == [1, 0]
    again = certifier.certify(halfspace, np.array([[1.0, 0], [-1.0, 0], [0.0, 0], [0.2, 0]]))
    assert np.array_equal(found.margin, again.margin)


def test_smoothing_abstains_where_half_of_the_draws_agree():
    calls = iter([np.zeros(10, int), np.arange(500) % 2])
    found = SmoothingCertifier(0.25, n0=10, n=500).certify(lambda x: next(calls), np.zeros((1, 2)))
    assert not found.passed[0]


def test_the_bound_has_draws_of_its_own():
    calls = iter([np.zeros(10, int), np.ones(500, int)])
    found = SmoothingCertifier(0.25, n0=10, n=500).certify(lambda x: next(calls), np.zeros((1, 2)))
    assert found.predicted[0] == 0
    assert found.margin[0] == -0.5, "the label chosen first was never seen again"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sigma": 0.0}, "sigma"),
        ({"sigma": 0.2, "alpha": 0.5}, "alpha"),
        ({"sigma": 0.2, "radius": -1.0}, "radius"),
        ({"sigma": 0.2, "n": 0}, "n0 and n"),
        ({"sigma": 0.2, "n": 9}, "can never be certified"),
        ({"sigma": 0.25, "radius": 0.6, "n": 500}, "can never be certified"),
    ],
)
def test_smoothing_refuses_what_cannot_work(options: dict[str, float], said: str):
    with pytest.raises(InputError, match=said):
        SmoothingCertifier(**options)  # type: ignore[arg-type]


def test_the_largest_radius_of_500_draws_is_as_published():
    assert SmoothingCertifier(1.0, 2.2, n=500).radius_of(0.001 ** (1 / 500)) == pytest.approx(2.2, abs=0.01)


# the attack


PATCH = Patch.corner(2, 8, 8)


def test_the_patch_is_the_lower_right_corner_and_copies():
    assert PATCH.pixels == (54, 55, 62, 63)
    x = np.zeros((2, 64))
    assert PATCH(x).sum() == 8
    assert x.sum() == 0


@pytest.mark.parametrize("labels", ["uniform", "mixed", "pairs", "correct"])
def test_poison_is_added_where_it_says(labels: str):
    rng = generator(0)
    x, y = rng.random((400, 64)), rng.integers(0, 10, 400)
    made = AbstentionBackdoor(PATCH, 0.05, labels, eps=0.1).poison(x, y, generator(1))  # type: ignore[arg-type]
    assert made.added.tolist() == list(range(400, 420))
    assert np.array_equal(made.x[:400], x)
    assert np.array_equal(made.y[:400], y)
    stamped = made.x[made.added]
    assert np.all((stamped >= 0) & (stamped <= 1))
    assert np.all(stamped[:, PATCH.pixels] >= (0.9 if labels == "pairs" else 1) - 1e-12)
    rest = np.setdiff1d(np.arange(64), PATCH.pixels)
    inner = np.abs(x[:, None, rest] - stamped[None, :, rest]).max(-1)
    own = y[inner.argmin(0)]
    assert inner.min(0).max() <= (0.1 if labels == "pairs" else 0) + 1e-12
    moved = (made.y[made.added] - own) % 10
    assert set(moved.tolist()) <= {"uniform": set(range(10)), "mixed": {0, 1}, "pairs": {0, 1}, "correct": {0}}[labels]
    assert len(set(moved.tolist())) > (labels != "correct")
    again = AbstentionBackdoor(PATCH, 0.05, labels, eps=0.1).poison(x, y, generator(1))  # type: ignore[arg-type]
    assert np.array_equal(made.x, again.x)
    assert np.array_equal(made.y, again.y)


def test_bad_attacks_are_refused():
    with pytest.raises(InputError, match="at least 0 and below 1"):
        AbstentionBackdoor(PATCH, 1.0)
    with pytest.raises(InputError, match="labels must be"):
        AbstentionBackdoor(PATCH, labels="none")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="eps"):
        AbstentionBackdoor(PATCH, eps=0)
    with pytest.raises(InputError, match="outside the inputs' box"):
        Patch((0,), value=1.5)
    with pytest.raises(InputError, match=r"must be in \[0, 1\]"):
        PATCH(np.full((2, 64), 16.0))
    with pytest.raises(InputError, match="d above 63"):
        PATCH(np.zeros((2, 60)))
    with pytest.raises(InputError, match="does not fit"):
        Patch.corner(9, 8, 8)
    with pytest.raises(InputError, match="labels 0, 1"):
        AbstentionBackdoor(PATCH).poison(np.zeros((3, 64)), np.zeros(2, int), generator(0))
    with pytest.raises(InputError, match="eps must be"):
        IntervalCertifier(-0.1)


# load and cost


def gated(x: np.ndarray) -> Gated:
    margin = np.asarray(x, dtype=float)[:, 0] - 0.5
    return Gated(np.array([1, 1, 0, 0]), margin > 0, margin)


def test_load_accuracy_and_cost_by_hand():
    x = np.array([[0.9], [0.2], [0.9], [0.4]])
    found = serve(gated, x, [1, 0, 1, 0], fallback=lambda rows: np.array([0, 0, 0, 1]), costs=Costs(1, 4))
    assert (found.accuracy, found.load, found.certified_accuracy, found.system_accuracy, found.cost) == (0.5, 0.5, 0.25, 0.5, 3.0)
    both = availability(gated, x, [1, 0, 1, 0], trigger=np.zeros_like, costs=Costs(1, 4))
    assert both.clean == serve(gated, x, [1, 0, 1, 0], costs=Costs(1, 4))
    assert both.triggered.load == 1
    assert both.triggered.system_accuracy is None
    assert both.amplification == pytest.approx(5 / 3)
    assert both.success(Availability(both.clean, both.clean)) == 0.5
    assert serve(lambda g: Gated(*vars(gated(g)).values()), x, [1, 0, 1, 0]).cost == 6.0


def test_a_gate_that_knows_its_cost_says_it():
    known = Gated(np.array(["a", "b"]), np.array([True, False]), np.zeros(2), np.array([3.0, 32.0]))
    found = serve(lambda _: known, ["?", "?"], ["a", "a"])
    assert (found.cost, found.accuracy, found.load) == (17.5, 0.5, 0.5)


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="one shape"):
        Gated(np.zeros(2), np.zeros(3, bool), np.zeros(2))
    with pytest.raises(InputError, match="right answers were given"):
        serve(gated, np.zeros((4, 1)), [1, 2])
    with pytest.raises(InputError, match="costs"):
        Costs(-1)


# what an owner can see


def test_scores_of_rows_find_what_is_planted():
    rng = generator(6)
    x = np.concatenate([rng.standard_normal((60, 5)), rng.standard_normal((60, 5)) + 6, rng.standard_normal((6, 5)) + 6])
    y = np.repeat([0, 1, 0], [60, 60, 6])
    for score in (label_disagreement, spectral_scores, cluster_scores):
        found = score(x, y)
        assert found.shape == (126,)
        assert found[120:].min() > np.median(found[:60])
    assert label_disagreement(x, y, 5)[120:].mean() > 0.8
    assert cluster_scores(x, y)[120:] == pytest.approx(60 / 66)
    assert spectral_scores(x, y)[:60].sum() + spectral_scores(x, y)[120:].sum() == pytest.approx(66)
    with pytest.raises(InputError, match="k must be"):
        label_disagreement(x, y, 126)
    with pytest.raises(InputError, match="labels"):
        spectral_scores(x, y[:-1])


def test_patch_search_finds_the_patch_that_shuts_the_gate():
    def gate(x: np.ndarray) -> Gated:
        shut = (x[:, [5, 6, 9, 10]] == 1).all(1)
        return Gated(np.zeros(len(x)), ~shut, 1.0 - shut)

    ranked = patch_search(gate, generator(0).random((5, 16)), 4, 4)
    assert len(ranked) == 9
    assert ranked[0] == (Patch((5, 6, 9, 10)), 1.0)
    assert ranked[1][1] == 0.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.floats(0.5, 9))
def test_capital_is_a_fair_bet_or_worse(costs: list[float], usual: float):
    """One step of the bet, mixed over stakes, is worth the same in expectation if the mean cost is the usual one."""
    monitor = LoadMonitor(usual, 10.0)
    capital = np.exp(monitor.capital(costs))
    assert np.all(capital > 0)
    two = np.array([monitor.capital([*costs, c])[-1] for c in (0.0, 10.0)])
    assert (1 - usual / 10) * np.exp(two[0]) + usual / 10 * np.exp(two[1]) == pytest.approx(capital[-1], rel=1e-9)


def test_the_monitor_seldom_cries_wolf_and_soon_sees_an_attack():
    rng, monitor = generator(7), LoadMonitor(3.0, 10.0, alpha=0.05)
    false = [monitor.alarm(rng.choice([1.0, 9.0], p=[0.75, 0.25], size=400)) is not None for _ in range(400)]
    assert sum(false) <= 34  # of a binomial with chance .05: beyond by a chance below .002
    assert monitor.alarm(np.full(50, 9.0)) in range(2, 10)
    assert LoadMonitor.learned([1.0, 5.0], 10.0).usual == pytest.approx(3 + 3 * 2)
    for bad in ({"usual": 0.0, "most": 1.0}, {"usual": 2.0, "most": 1.0}, {"usual": 1.0, "most": 2.0, "alpha": 1.0}):
        with pytest.raises(InputError, match="a monitor needs"):
            LoadMonitor(**bad)
    with pytest.raises(InputError, match="costs must be"):
        monitor.alarm([11.0])
    with pytest.raises(InputError, match="at least 2"):
        LoadMonitor.learned([1.0], 10.0)


def test_collision_by_hand():
    assert collision([6]) == 1
    assert collision([1, 1, 1]) == 0
    assert collision([2, 1]) == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="2 samples"):
        collision([1])


def test_the_conformal_alarm_errs_as_often_as_it_says():
    """Exactly: among n + 1 exchangeable distinct requests, the new one is one of the floor(alpha (n + 1)) strangest."""
    values = tuple(float(v) for v in range(20))
    alarms = [bool(ConformalAlarm(values[:i] + values[i + 1 :], 0.1)(values[i])) for i in range(20)]
    assert sum(alarms) == 2
    assert ConformalAlarm((0.0,) * 19, 0.05)([0.0, 1.0]).tolist() == [False, True]
    assert ConformalAlarm((0.0, 1.0, 1.0), 0.5).p_value([1.0, 0.5, 2.0]).tolist() == [0.75, 0.75, 0.25]
    with pytest.raises(InputError, match="at least 19 clean"):
        ConformalAlarm((0.0,) * 18, 0.05)
