"""Truth from crowds: the published worked example, laws of the algorithms, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import InputError
from ponder.trust.crowds import (
    AGGREGATORS,
    EBCC,
    GLAD,
    MACE,
    DawidSkene,
    MajorityVote,
    OneCoin,
    OnlineCrowd,
    Wawa,
    ZeroBasedSkill,
    aggregator,
    calibrated,
    labels_of,
    simulate_crowd,
    stopped_early,
)
from ponder.trust.crowds.em import Sums, sums_of

ANAESTHETISTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212 1211111
1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121
1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
"""Dawid & Skene 1979, table 1: seven answers a patient, the first three of one observer."""
OBSERVERS = (1, 1, 1, 2, 3, 4, 5)
ALL = [MajorityVote(), Wawa(), ZeroBasedSkill(), OneCoin(), DawidSkene(), GLAD(), MACE(starts=2, rounds=20), EBCC(starts=1)]


def patients():
    rows = [(i, o, int(d)) for i, answers in enumerate(ANAESTHETISTS.split()) for o, d in zip(OBSERVERS, answers, strict=True)]
    return labels_of(*zip(*rows, strict=True), classes=(1, 2, 3, 4), allow_repeats=True)


def small(seed=0, n=300, **options):
    return simulate_crowd(40, n, redundancy=5, seed=seed, **options)


def test_the_published_example_of_dawid_and_skene():
    truth = DawidSkene(smoothing=0, tolerance=1e-9, rounds=1000).fit(patients())
    assert truth.log_likelihood[:3] == pytest.approx((-205.091138, -194.550952, -193.159445), abs=1e-6)
    assert truth.log_likelihood[-1] == pytest.approx(-192.890881, abs=1e-5)
    assert truth.classes_share.round(4).tolist() == [0.3996, 0.4220, 0.1118, 0.0667]
    first = truth.confusion[0].round(3).tolist()
    assert first[0] == [0.889, 0.111, 0, 0]
    assert first[2] == [0, 0.339, 0.661, 0]
    assert first[3] == [0, 0, 0.556, 0.444]
    found = "".join(map(str, truth.answers.values()))
    assert found == "142222132243121111222222112111131224233111212"
    majority = MajorityVote().fit(patients()).answers
    assert [i + 1 for i, c in truth.answers.items() if c != majority[i]] == [2, 12, 36]
    steps = np.diff(truth.log_likelihood)
    assert np.all(steps > -1e-9), "no round lowers the likelihood"


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_no_round_of_expectation_maximisation_lowers_the_likelihood(seed):
    labels = small(seed, 60).labels
    labels = labels.where(labels.answered[labels.worker] > 1)
    seen = DawidSkene(smoothing=0, rounds=15).fit(labels).log_likelihood
    assert np.all(np.diff(seen) > -1e-8)
    assert np.all(np.diff(OneCoin(tolerance=0).fit(labels).log_likelihood[1:]) > -1e-6)


def test_a_posterior_is_that_of_bayes_rule_by_enumeration():
    """One round of the one-coin model from skill .8, an item at a time."""
    crowd = small(3, 20)
    truth = OneCoin(rounds=1).fit(crowd.labels)
    for i in range(20):
        mine = crowd.labels.label[crowd.labels.item == i]
        joint = np.array([np.prod(np.where(mine == c, 0.8, 0.1)) for c in range(3)])
        assert truth.posterior[i] == pytest.approx(joint / joint.sum())
    total = sum(
        np.log(np.mean([np.prod(np.where(crowd.labels.label[crowd.labels.item == i] == c, 0.8, 0.1)) for c in range(3)])) for i in range(20)
    )
    assert truth.log_likelihood[0] == pytest.approx(total)


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_laws_that_every_aggregator_obeys(model):
    crowd = small()
    labels = crowd.labels
    truth = model.fit(labels)
    assert truth.posterior.shape == (300, 3)
    assert truth.posterior.sum(axis=1) == pytest.approx(np.ones(300))
    assert crowd.accuracy(truth.best) > 0.8, "far above chance, 1/3"
    names = [f"item {i}" for i in labels.item]
    order = np.random.default_rng(1).permutation(len(labels))
    again = labels_of(np.array(names)[order], labels.worker[order], np.array(["a", "b", "c"])[labels.label][order])
    other = model.fit(again)
    if not isinstance(model, (MACE, EBCC)):  # their random starts belong to places, which other names move
        assert [other.answers[f"item {i}"] for i in range(300)] == [("a", "b", "c")[c] for c in truth.best]
    known = {i: (int(crowd.truth[i]) + 1) % 3 for i in range(5)}
    pinned = model.fit(labels, known)
    assert [pinned.answers[i] for i in range(5)] == list(known.values())


@pytest.mark.parametrize("model", [Wawa(), ZeroBasedSkill(), OneCoin(), DawidSkene(), GLAD(), MACE(starts=2), EBCC(starts=1)])
def test_skills_rank_workers_and_beat_the_majority(model):
    crowd = simulate_crowd(60, 1500, redundancy=5, spam=0.3, seed=2)
    truth = model.fit(crowd.labels)
    busy = crowd.labels.answered > 60
    right = crowd.labels.of_worker((crowd.labels.label == crowd.truth[crowd.labels.item]).astype(float)) / np.maximum(
        crowd.labels.answered, 1
    )
    assert np.corrcoef(truth.skill[busy], right[busy])[0, 1] > 0.8
    assert crowd.accuracy(truth.best) >= crowd.accuracy(MajorityVote().fit(crowd.labels).best) + 0.01


def test_sums_are_the_same_with_and_without_scipy():
    labels, rng = small().labels, np.random.default_rng(0)
    plain, sparse = Sums(labels), sums_of(labels)
    assert type(sparse) is not Sums
    for table, name in ((rng.random((300, 3)), "by_cell"), (rng.random((120, 3)), "by_item")):
        assert getattr(plain, name)(table) == pytest.approx(getattr(sparse, name)(table))


def test_glad_finds_difficult_items():
    crowd = small(4, 600)
    z = GLAD().fit(crowd.labels)
    assert np.all(np.diff(z.log_likelihood[:4]) > 0)


def test_one_class_is_returned_as_it_is():
    truth = GLAD().fit(labels_of([1, 1, 2], ["a", "b", "a"], ["x", "x", "x"]))
    assert truth.answers == {1: "x", 2: "x"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], ["a", "a"], [0, 1]), "answers item 1 more than once"),
        (([1, 2], ["a", "b"], [0]), "lists of one length"),
        (([], [], []), "lists of one length"),
        (([1.0, np.nan], ["a", "b"], [0, 1]), "NaN"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        labels_of(*arguments)


def test_labels_outside_the_lists_are_refused():
    with pytest.raises(InputError, match="2 is no class"):
        labels_of([1, 2], ["a", "b"], [0, 2], classes=[0, 1])
    with pytest.raises(InputError, match="1 have none, the first is 3"):
        labels_of([1, 2], ["a", "b"], [0, 1], all_items=[1, 2, 3])
    with pytest.raises(InputError, match="of no item or no class"):
        MajorityVote().fit(labels_of([1, 2], ["a", "b"], [0, 1]), known={9: 0})
    with pytest.raises(InputError, match="OneCoin: start"):
        OneCoin(start=1.0)


def test_workers_of_a_single_answer_need_smoothing():
    labels = labels_of([1, 1, 2, 2, 2], ["a", "b", "a", "b", "once"], [0, 0, 1, 1, 0])
    with pytest.raises(InputError, match=r"1 workers have a single answer, worker 'once'.*smoothing above 0"):
        DawidSkene(smoothing=0).fit(labels)
    assert DawidSkene().fit(labels).answers == {1: 0, 2: 1}


def test_a_belief_in_better_than_chance_keeps_the_names_of_classes():
    """Most workers answer two classes the wrong way round: without gold nothing can tell, with the belief one good majority suffices."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    worker, item = np.tile(np.arange(5), 200), np.repeat(np.arange(200), 5)
    right = rng.random(1000) < np.array([0.9, 0.9, 0.9, 0.2, 0.2])[worker]
    labels = labels_of(item, worker, np.where(right, truth[item], 1 - truth[item]))
    found = DawidSkene(diagonal=2.0).fit(labels)
    assert np.mean(found.best == truth) > 0.95
    assert found.skill[3] < 0.35 < 0.8 < found.skill[0]


def test_aggregators_by_name():
    assert isinstance(aggregator("dawid_skene"), DawidSkene)
    assert all(isinstance(aggregator(n), cls) for n, cls in AGGREGATORS.items())
    with pytest.raises(InputError, match="did you mean 'dawid_skene'"):
        aggregator("david_skene")


def test_skill_by_capability_tells_a_specialist():
    crowd = simulate_crowd(30, 2000, n_capabilities=2, seed=5)
    split = crowd.labels.by_group(crowd.capability)
    assert len(split.workers) > len(crowd.labels.workers)
    assert split.workers[0] == (0, 0)
    assert split.answered.sum() == len(crowd.labels)
    with pytest.raises(InputError, match="a group is a whole number"):
        crowd.labels.by_group([1, 2])


def test_a_stream_that_never_forgets_ends_near_the_batch():
    crowd = simulate_crowd(100, 2000, seed=1)
    online = stream(crowd, OnlineCrowd(range(3)), 20)
    batch = OneCoin().fit(crowd.labels)
    answers = online.answers
    agree = np.mean([answers[i] == c for i, c in enumerate(batch.best)])
    assert agree > 0.97
    assert len(online.items) == 2000


def stream(crowd, online, chunks):
    order = np.argsort(crowd.time, kind="stable")
    for part in np.array_split(order, chunks):
        labels = crowd.labels
        online.partial_fit(labels.item[part], labels.worker[part], labels.label[part], crowd.capability[labels.item[part]])
    return online


def test_forgetting_follows_a_worker_who_changes():
    """A worker who turns from always right to always wrong: counts that forget notice, counts that do not still believe."""
    rng = np.random.default_rng(0)
    kept = {}
    for forget in (1.0, 0.7):
        online = OnlineCrowd((0, 1), forget=forget)
        for chunk in range(40):
            truth = rng.integers(0, 2, 20)
            item = np.repeat(np.arange(20) + 20 * chunk, 4)
            worker = np.tile(["turns", "b", "c", "d"], 20)
            answer = np.repeat(truth, 4)
            answer[::4] = truth if chunk < 25 else 1 - truth
            online.partial_fit(item, worker, answer)
        kept[forget] = online.skills["turns"]
    assert kept[0.7] < 0.15
    assert kept[1.0] > 0.55


def test_skills_per_capability_and_the_next_question():
    online = OnlineCrowd(("x", "y"), per_capability=True)
    assert online.next_item() is None
    assert online.next_worker() is None
    online.partial_fit([1, 1, 1, 2], ["a", "b", "c", "a"], ["x", "x", "y", "y"], ["p", "p", "p", "q"])
    assert set(online.skills) == {("a", "p"), ("b", "p"), ("c", "p"), ("a", "q")}
    assert online.next_item(0.99) in (1, 2)
    assert online.next_item(0.5) is None
    assert online.next_worker() in online.skills
    with pytest.raises(InputError, match="each answer's capability"):
        online.partial_fit([1], ["d"], ["x"])
    with pytest.raises(InputError, match="'z' is no class"):
        OnlineCrowd(("x", "y")).partial_fit([1], ["d"], ["z"])


def test_a_chunk_of_nothing_changes_nothing():
    online = OnlineCrowd((0, 1)).partial_fit([5], ["a"], [1])
    before = online.posterior.copy()
    assert np.array_equal(online.partial_fit([], [], []).posterior, before)
    assert before[0] == pytest.approx([0.2, 0.8], abs=0.05)


def test_calibration_on_known_items_makes_confidence_honest():
    from ponder.bench.stats import expected_calibration_error

    crowd = simulate_crowd(100, 3000, redundancy=4, spam=0.35, seed=6)
    found = OneCoin().fit(crowd.labels)
    fitted, temperature = calibrated(found, {i: int(crowd.truth[i]) for i in range(1000)})
    errors = []
    for t in (found, fitted):
        rest = slice(1000, None)
        errors.append(expected_calibration_error(t.posterior.max(axis=1)[rest], (t.best == crowd.truth)[rest]))
    assert temperature > 1
    assert errors[1] < errors[0]
    assert np.array_equal(fitted.best, found.best)
    with pytest.raises(InputError, match="truth is known"):
        calibrated(found, {})


def test_stopping_early_takes_answers_only_where_they_are_needed():
    """Three answers an item: two agree on item 1 and 2, so they stop; item 3 takes its third."""
    items = np.repeat([1, 2, 3], 3)
    labels = labels_of(items, np.tile(["a", "b", "c"], 3), [0, 0, 1, 1, 1, 0, 0, 1, 1])
    truth, taken = stopped_early(labels, enough=0.9)
    assert taken.tolist() == [2, 2, 3]
    assert [truth.answers[1], truth.answers[2]] == [0, 1]
    assert stopped_early(labels, enough=1.0)[1].tolist() == [3, 3, 3]
    backwards = stopped_early(labels, enough=0.9, order=-np.arange(9), model=MajorityVote())[1]
    assert backwards.tolist() == [3, 3, 2], "read from the end, only item 3 is clear at once"
    with pytest.raises(InputError, match="enough must be above"):
        stopped_early(labels, enough=0.5)
    with pytest.raises(InputError, match="each of the 9 answers"):
        stopped_early(labels, order=[1])


def test_simulated_answers_are_right_as_often_as_they_should():
    crowd = simulate_crowd(200, 4000, seed=0)
    right = crowd.labels.label == crowd.truth[crowd.labels.item]
    assert right.mean() == pytest.approx(crowd.chance.mean(), abs=4 * 0.5 / np.sqrt(len(right)))
    pairs = crowd.labels.item * 200 + crowd.labels.worker
    assert len(np.unique(pairs)) == len(pairs)
    with pytest.raises(InputError, match="2 or more classes"):
        simulate_crowd(classes=1)
