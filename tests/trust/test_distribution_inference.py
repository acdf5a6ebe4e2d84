"""Distribution inference: the leak in closed form and by enumeration, attacks on answers that are known, invariance, data and the game."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.core.seeds import generator
from ponder.trust.distribution_inference import (
    Answers,
    DistributionInferenceGame,
    KLAttack,
    LossTest,
    Networks,
    PermutationInvariantMetaClassifier,
    PerPointThreshold,
    Records,
    ThresholdTest,
    check_disjoint,
    clustered_graph,
    exact_accuracy,
    graph_records,
    n_leaked,
    n_leaked_degrees,
    n_leaked_regression,
    pooled,
    read_census,
    report,
    samples_needed,
    train_networks,
    two_parties,
    with_ratio,
    zipf_graph,
)
from ponder.trust.distribution_inference.black_box import best_threshold, divergences

# the leak


@pytest.mark.parametrize(
    ("accuracy", "a0", "a1", "leaked"),
    [(0.75, 0.5, 0.6, 1.577883), (0.9, 0.2, 0.5, 2.173709), (0.8, 0.2, 0.5, 0.949540), (0.72, 0.2, 0.5, 0.457816)],
)
def test_n_leaked_in_closed_form(accuracy: float, a0: float, a1: float, leaked: float):
    assert n_leaked(accuracy, a0, a1) == pytest.approx(leaked, abs=1e-6)
    assert n_leaked(accuracy, a1, a0) == pytest.approx(leaked, abs=1e-6)
    assert n_leaked(accuracy, 1 - a0, 1 - a1) == pytest.approx(leaked, abs=1e-6)


def test_n_leaked_at_the_edges():
    assert n_leaked(0.9, 0.3, 0.3) == 0
    assert n_leaked(0.4, 0.2, 0.5) == n_leaked(0.5, 0.2, 0.5) == 0
    assert n_leaked(1.0, 0.2, 0.5) == np.inf
    assert n_leaked(0.9, 0.0, 1.0) == np.inf
    assert 0 < n_leaked(0.9, 0.0, 0.5) < np.inf
    for bad in ((1.1, 0.2, 0.5), (0.9, -0.1, 0.5), (0.9, 0.2, 1.5), (float("nan"), 0.2, 0.5)):
        with pytest.raises(InputError, match="must be in"):
            n_leaked(*bad)


@pytest.mark.parametrize(("n", "a0", "a1", "accuracy"), [(1, 0.2, 0.5, 0.65), (5, 0.2, 0.5, 0.7749), (10, 0.5, 0.6, 0.6281)])
def test_exact_accuracy_is_the_published_one(n: int, a0: float, a1: float, accuracy: float):
    assert exact_accuracy(n, a0, a1) == pytest.approx(accuracy, abs=5e-5)


def test_exact_accuracy_by_enumeration_of_all_records():
    total = 0.0
    for records in itertools.product((0, 1), repeat=4):
        total += max(np.prod([a if r else 1 - a for r in records]) for a in (0.3, 0.6)) / 2
    assert exact_accuracy(4, 0.3, 0.6) == pytest.approx(total)
    assert exact_accuracy(0, 0.3, 0.6) == 0.5


def test_the_bound_holds_on_a_grid_of_ratios():
    """n records never reach an accuracy whose n_leaked is above n: the leak is a lower bound."""
    grid = np.linspace(0.05, 0.95, 19)
    for a0, a1, n in itertools.product(grid, grid, (1, 2, 3, 5, 10, 30)):
        if a0 != a1:
            assert n_leaked(exact_accuracy(n, a0, a1), a0, a1) <= n + 1e-9


def test_records_that_it_takes():
    assert samples_needed(0.75, 0.5, 0.6) == 45
    assert samples_needed(0.9, 0.2, 0.5) == 16
    assert samples_needed(0.5, 0.2, 0.5) == 0
    assert samples_needed(0.6, 0.2, 0.2) == samples_needed(1.0, 0.2, 0.5) == np.inf
    assert samples_needed(1.0, 0.0, 1.0) == 1
    for target in (0.61, 0.77, 0.93):
        n = int(samples_needed(target, 0.3, 0.5))
        assert exact_accuracy(n - 1, 0.3, 0.5) < target <= exact_accuracy(n, 0.3, 0.5)


def test_regression_and_degrees():
    assert n_leaked_regression(0.0025, 0.5) == pytest.approx(100)
    assert n_leaked_regression(0.0, 0.5) == np.inf
    for bad in ((0.1, 0.0), (0.1, 1.0), (-0.1, 0.5)):
        with pytest.raises(InputError):
            n_leaked_regression(*bad)
    laws = ((3, 1.0), (5, 2.0))
    pmfs = [np.arange(1, n + 1) ** -s / np.sum(np.arange(1, n + 1) ** -s) for n, s in laws]
    rho = float(np.min(pmfs[1][:3] / pmfs[0]))
    expected = np.log(1 - 0.6**2) / np.log(rho)
    assert n_leaked_degrees(0.8, *laws) == n_leaked_degrees(0.8, *laws[::-1]) == pytest.approx(expected)
    assert n_leaked_degrees(0.8, laws[0], laws[0]) == 0
    assert n_leaked_degrees(1.0, *laws) == np.inf
    with pytest.raises(InputError, match="Zipf"):
        n_leaked_degrees(0.8, (0, 1.0), (5, 1.0))


# black-box attacks

LABELS = (np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]))


def seen(first: list[list[float]], second: list[list[float]]) -> Answers:
    """Models of either world with the same scores on both probes."""
    return Answers(tuple((np.array(m), np.array(m)) for m in (first, second)), LABELS)  # type: ignore[arg-type]


GOOD0, GOOD1, EVEN = [0.9, 0.9, 0.1, 0.1], [0.9, 0.1, 0.1, 0.1], [0.9, 0.9, 0.9, 0.1]


def test_loss_test_and_its_ties():
    found = LossTest()(seen([GOOD0], [GOOD0]), seen([GOOD0, GOOD1], [GOOD1, GOOD0]))
    assert [g.tolist() for g in found] == [[False, True], [True, False]]
    even = Answers(((np.array([[0.9, 0.9, 0.1, 0.1]]),) * 2,) * 2, (LABELS[0], LABELS[0]))  # type: ignore[arg-type]
    assert [g.tolist() for g in LossTest()(even, even)] == [[True], [True]], "a tie is said to be world 1"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_best_threshold_is_the_best_of_all(first: list[int], second: list[int]):
    accuracy, cut, above = best_threshold(np.array(first, float), np.array(second, float))

    def balanced(c: float, a: bool) -> float:
        return (np.mean([(v > c) != a for v in first]) + np.mean([(v > c) == a for v in second])) / 2

    assert accuracy == pytest.approx(balanced(cut, above))
    assert accuracy == pytest.approx(max(balanced(c, a) for c in np.arange(-0.5, 7) for a in (True, False)))


def test_threshold_test_takes_the_probe_that_separates():
    models0, models1 = [GOOD0, GOOD0], [EVEN, EVEN]
    found = ThresholdTest()(seen(models0, models1), seen([GOOD0, EVEN], [EVEN, GOOD0]))
    assert [g.tolist() for g in found] == [[False, True], [True, False]]


def test_per_point_thresholds_use_the_points_that_tell():
    rng = generator(0)
    noise = rng.random((4, 20, 40))
    noise[1::2, :, 7] += 3.0  # one point tells the worlds apart
    scores = noise / 4

    def pair(i: int) -> tuple[np.ndarray, np.ndarray]:
        return scores[i][:, :20], scores[i][:, 20:]

    labels = (np.zeros(20, int), np.zeros(20, int))
    attack = PerPointThreshold((0.025, 1.0))
    first, second = attack(Answers((pair(0), pair(1)), labels), Answers((pair(2), pair(3)), labels))
    assert not first.any()
    assert second.all()


def test_divergences_in_closed_form():
    p, q = np.array([[0.2, 0.5]]), np.array([[0.4, 0.5], [0.2, 0.5]])
    by_hand = (0.2 * np.log(0.5) + 0.8 * np.log(0.8 / 0.6)) / 2
    assert divergences(p, q) == pytest.approx(np.array([[by_hand, 0.0]]))


@pytest.mark.parametrize("options", [{}, {"pair_fraction": 0.5}, {"half": True}])
def test_kl_attack_finds_whose_models_a_victim_is_like(options: dict[str, object]):
    rng = generator(1)

    def models(centre: float) -> list[list[float]]:
        return (centre + 0.02 * rng.standard_normal((6, 4))).tolist()

    found = KLAttack(**options)(seen(models(0.3), models(0.6)), seen(models(0.3), models(0.6)))  # type: ignore[arg-type]
    assert not found[0].any()
    assert found[1].all()


def test_kl_attack_votes_by_pairs_r_below_s():
    own, victim = seen([GOOD0, EVEN], [EVEN, GOOD1]), seen([EVEN], [EVEN])
    zero = divergences(np.array([GOOD0]), np.array([EVEN]))[0, 0]
    one = divergences(np.array([GOOD1]), np.array([EVEN]))[0, 0]
    assert KLAttack()(own, victim)[0].tolist() == [bool(zero > one)], "only the pair of the first of world 0 and the second of world 1"


def test_bad_answers_and_options_are_refused():
    with pytest.raises(InputError, match="probe set 1 is empty"):
        Answers(((np.ones((2, 4)), np.ones((2, 0))),) * 2, (LABELS[0], np.array([], int)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"shape \(models, 4\)"):
        seen([GOOD0], [GOOD0[:3]])
    with pytest.raises(InputError, match="at least 2 adversary models"):
        KLAttack()(seen([GOOD0], [GOOD1]), seen([GOOD0], [GOOD1]))
    with pytest.raises(InputError, match="pairs"):
        KLAttack(pair_fraction=0)
    with pytest.raises(InputError, match="shares of the points"):
        PerPointThreshold(())


def test_report_is_balanced_and_says_either_side():
    guesses = np.array([False] * 30 + [True] * 10), np.array([True] * 20)
    found = report(guesses, (0.2, 0.5))
    assert found.per_side_accuracy == (0.75, 1.0)
    assert found.accuracy == 0.875
    assert found.ci95[0] < 0.875 < found.ci95[1]
    assert found.n_leaked == n_leaked(0.875, 0.2, 0.5)
    assert found.samples_needed == samples_needed(0.875, 0.2, 0.5)
    assert report(guesses).n_leaked is None
    both = pooled([found, report((guesses[0][:20], guesses[1]))], (0.2, 0.5))
    assert both.per_side_accuracy == ((30 + 20) / 60, 1.0)
    assert both.victims == (60, 40)
    assert both == report((np.repeat([False, True], [50, 10]), np.ones(40, bool)), (0.2, 0.5))
    with pytest.raises(InputError, match="no reports"):
        pooled([])
    with pytest.warns(UserWarning, match="3 victims a world"):
        report((guesses[0][:3], guesses[1]))
    with pytest.raises(InputError, match="at least 1 victim"):
        report((guesses[0][:0], guesses[1]))


def test_intervals_of_reports_cover():
    """Balanced accuracy of a fair coin: the interval misses one half with a chance of at most .05."""
    rng = generator(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        missed = [not (r.ci95[0] <= 0.5 <= r.ci95[1]) for r in (report((rng.random(25) < 0.5, rng.random(25) < 0.5)) for _ in range(300))]
    assert sum(missed) <= 27  # of a binomial with chance .05: beyond by a chance below .002


# records


def table(n: int = 600, seed: int = 0) -> Records:
    rng = generator(seed, ["table"])
    attribute = (rng.random(n) < 0.3).astype(int)
    y = (rng.random(n) < 0.3).astype(int)
    return Records(np.column_stack([rng.standard_normal((n, 3)), attribute, y]), y, attribute)


def test_two_parties_share_no_rows_and_are_alike():
    records = table()
    doubled = Records(*(np.concatenate([v, v[:200]]) for v in (records.x, records.y, records.attribute)))
    first, second = two_parties(doubled, generator(0))
    check_disjoint(first, second)
    assert len(first) + len(second) == 800
    for a, y in itertools.product((0, 1), (0, 1)):
        sizes = [int(np.sum((r.attribute == a) & (r.y == y))) for r in (first, second)]
        assert abs(sizes[0] - sizes[1]) <= 2
    with pytest.raises(InputError, match="600 different rows"):
        check_disjoint(records, doubled)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.5, 0.8])
def test_a_sample_has_its_ratio_and_its_labels(ratio: float):
    sample = with_ratio(table(), ratio, 20, generator(0))
    assert len(sample) == 80
    assert sample.y.mean() == 0.25
    assert sample.ratio == pytest.approx(ratio, abs=1e-9)


def test_a_ratio_that_cannot_be_reached_says_how_many_are_missing():
    records = table()
    positives = int(np.sum((records.attribute == 1) & (records.y == 1)))
    with pytest.raises(InputError, match=f"leaves {positives} rows of label 1, 7 fewer"):
        with_ratio(records, 1.0, positives + 7, generator(0))
    for bad in ((-0.1, 5), (0.5, 0)):
        with pytest.raises(InputError, match="a ratio in"):
            with_ratio(records, *bad, generator(0))
    with pytest.raises(InputError, match="attribute must be"):
        Records(np.zeros((3, 2)), np.zeros(3, int), np.array([0, 1, 2]))
    with pytest.raises(InputError, match="shape"):
        Records(np.zeros(3), np.zeros(3, int), np.zeros(3, int))


CENSUS = """|1x3 Cross validator
39, State-gov, 100, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2000, 0, 40, United-States, <=50K
20, Private, 300, HS-grad, 9, Divorced, Armed-Forces, Unmarried, Amer-Indian-Eskimo, Female, 0, 0, 20, Cuba, >50K.
25, ?, 300, HS-grad, 9, Divorced, ?, Unmarried, Black, Female, 0, 0, 20, Cuba, >50K

"""


def test_census_is_prepared_as_its_authors_do(tmp_path: Path):
    path = tmp_path / "adult.data"
    path.write_text(CENSUS)
    records, names = read_census(path)
    assert len(records) == 2, "unknown values are left out"
    row = dict(zip(names, records.x.T.tolist(), strict=True))
    assert row["age"] == pytest.approx([19 / 39, 0])
    assert row["fnlwgt"] == pytest.approx([-1, 1])
    assert row["race=Other"] == [0, 1]
    assert "occupation=Armed-Forces" not in names
    assert records.y.tolist() == [0, 1]
    assert records.attribute.tolist() == row["sex=Female"] == [0, 1]
    assert read_census(path, attribute="race=Other")[0].attribute.tolist() == [0, 1]
    with pytest.raises(InputError, match="attribute must be one of"):
        read_census(path, attribute="age")
    path.write_text("1, 2\n")
    with pytest.raises(InputError, match=r"adult\.data, line 1"):
        read_census(path)


# networks

torch = pytest.importorskip("torch")


def networks(many: int = 3, sizes: tuple[int, ...] = (5, 6, 4, 1), seed: int = 0) -> Networks:
    rng = generator(seed, ["networks"])
    return Networks(tuple(rng.standard_normal((many, b, a + 1)).astype(np.float32) for a, b in itertools.pairwise(sizes)))


def test_scores_are_those_of_the_layers():
    nets, x = networks(), generator(0).standard_normal((7, 5))
    for i in range(3):
        hidden = x
        for j, layer in enumerate(nets.layers):
            hidden = hidden @ layer[i, :, :-1].T + layer[i, :, -1]
            hidden = np.maximum(hidden, 0) if j < 2 else hidden
        assert nets.scores(x)[i] == pytest.approx(1 / (1 + np.exp(-hidden[:, 0])), abs=1e-5)
    assert np.array_equal(nets.at([2]).scores(x)[0], nets.scores(x)[2])


@pytest.mark.parametrize("layer", [0, 1])
def test_the_meta_classifier_does_not_see_the_order_of_neurons(layer: int):
    nets, order = networks(8), generator(3).permutation((6, 4)[layer]).tolist()
    moved = nets.permuted(layer, order)
    x = generator(0).standard_normal((7, 5))
    assert moved.scores(x) == pytest.approx(nets.scores(x), abs=1e-5)
    meta = PermutationInvariantMetaClassifier(epochs=3).fit((nets, networks(8, seed=1)))
    with torch.no_grad():
        assert meta.logits(moved).numpy() == pytest.approx(meta.logits(nets).numpy(), abs=1e-5)


def test_the_published_meta_classifier_sees_it():
    nets, other = networks(8), networks(8, seed=1)
    meta = PermutationInvariantMetaClassifier(epochs=3, invariant=False).fit((nets, other))
    with torch.no_grad():
        moved = meta.logits(nets.permuted(0, [1, 0, 2, 3, 4, 5])).numpy()
        last = meta.logits(nets.permuted(1, [1, 0, 2, 3])).numpy()
        plain = meta.logits(nets).numpy()
    assert np.abs(moved - plain).max() > 1e-3
    assert np.abs(last - plain).max() > 1e-3


def test_the_meta_classifier_learns_a_sign():
    def world(sign: int, seed: int) -> Networks:
        nets = networks(60, seed=seed)
        nets.layers[0][:, :, 2] = sign * np.abs(nets.layers[0][:, :, 2])
        return nets

    meta = PermutationInvariantMetaClassifier(epochs=120, rate=1e-2).fit((world(-1, 0), world(1, 1)))
    first, second = meta((world(-1, 2), world(1, 3)))
    assert np.mean(~first) + np.mean(second) > 1.8
    with pytest.raises(InputError, match="one shape"):
        PermutationInvariantMetaClassifier().fit((networks(), networks(sizes=(5, 3, 1))))
    with pytest.raises(InputError, match="epoch"):
        PermutationInvariantMetaClassifier(epochs=0)


def test_networks_learn_side_by_side_and_each_on_its_own_rows():
    def sample(seed: int, flip: bool) -> Records:
        x = generator(seed).standard_normal((300, 4))
        return Records(x, ((x[:, 0] > 0) != flip).astype(int), np.zeros(300, int))

    nets = train_networks([sample(0, False), sample(1, True)], 0, hidden=(8,), epochs=30, batch=50, rate=1e-2)
    test = sample(2, False)
    right = ((nets.scores(test.x) >= 0.5) == test.y).mean(axis=1)
    assert right[0] > 0.95
    assert right[1] < 0.05
    again = train_networks([sample(0, False), sample(1, True)], 0, hidden=(8,), epochs=30, batch=50, rate=1e-2)
    assert all(np.array_equal(a, b) for a, b in zip(nets.layers, again.layers, strict=True))
    with pytest.raises(InputError, match="one size"):
        train_networks([sample(0, False), table()], 0)


# the game


def test_the_game_on_a_table_is_won_where_the_attribute_tells():
    """Labels follow the first input where the attribute is 1, and the second where it is 0: the share decides what is learnt."""
    rng = generator(5)
    x = rng.standard_normal((6000, 2))
    attribute = (rng.random(6000) < 0.5).astype(int)
    y = np.where(attribute == 1, x[:, 0] > 0.67, x[:, 1] > 0.67).astype(int)
    victim, other = two_parties(Records(np.column_stack([x, attribute]), y, attribute), generator(6))
    adversary, probe = two_parties(other, generator(7))
    game = DistributionInferenceGame.on_table(victim, adversary, probe, (0.05, 0.95), (60, 100))
    fast = DistributionInferenceGame(game.draw, lambda s, seed: train_networks(s, seed, (8,), 15, 40, 1e-2), game.props)
    played = fast.play(6, 20, 0)
    threshold, kl = played.run(ThresholdTest(), KLAttack())
    assert kl.accuracy > 0.9
    assert threshold.accuracy > 0.9
    assert kl.n_leaked is not None
    assert played.probes[0].y.mean() == played.probes[1].y.mean() == 0.25
    again = fast.play(6, 20, 0)
    assert np.array_equal(again.victims[1].layers[0], played.victims[1].layers[0])


def test_bad_games_are_refused():
    records = table()
    first, second = two_parties(records, generator(0))
    with pytest.raises(InputError, match="belong to both parties"):
        DistributionInferenceGame.on_table(first, records, second, (0.2, 0.5))
    with pytest.raises(InputError, match="shares must be in"):
        DistributionInferenceGame(lambda party, world, rng: records, props=(0.2, 1.5))
    with pytest.raises(InputError, match="at least 1 model"):
        DistributionInferenceGame(lambda party, world, rng: records).play(0, 5, 0)


# graphs


def test_graphs_have_their_property_and_even_labels():
    networkx = pytest.importorskip("networkx")
    sparse, dense = (zipf_graph(600, 20, s, generator(0)) for s in (1.5, 0.2))
    degrees = [np.mean([d for _, d in g.degree()]) for g in (sparse, dense)]
    law = np.arange(1, 21) ** -1.5
    assert degrees[0] == pytest.approx(np.sum(law * np.arange(1, 21)) / law.sum(), rel=0.12)
    assert degrees[1] > 2 * degrees[0]
    few, many = (clustered_graph(300, 3, p, generator(1)) for p in (0.0, 0.9))
    assert networkx.average_clustering(many) > 3 * networkx.average_clustering(few)
    assert few.number_of_edges() == pytest.approx(many.number_of_edges(), rel=0.03)
    records = graph_records(few, generator(2))
    assert records.x.shape == (300, 24)
    assert records.y.sum() == 150
    neighbours = [*few[5], 5]
    assert records.x[5, 8:16] == pytest.approx(records.x[neighbours, :8].mean(axis=0))
    assert records.x[5, 16:] == pytest.approx(records.x[neighbours, 8:16].mean(axis=0))
    agree = np.mean([records.y[a] == records.y[b] for a, b in few.edges])
    assert agree > 0.6
    for bad in (lambda: zipf_graph(5, 5, 1.0, generator(0)), lambda: clustered_graph(5, 2, 1.5, generator(0))):
        with pytest.raises(InputError, match="a graph needs"):
            bad()
