import numpy as np
import pytest

from ponder.core.errors import InputError
from ponder.search import difficulty


def test_bins_are_cut_by_rank_with_ties_in_order():
    table = np.array([[1, 1], [1, 1], [1, 1], [0, 1], [0, 0], [0, 0]])
    found = difficulty(table, bins=3)
    assert found.ease.tolist() == [1, 1, 1, 0.5, 0, 0]
    assert found.bins.tolist() == [0, 0, 1, 1, 2, 2]  # the third of the equal ones goes to the second bin, always
    assert found.edges.tolist() == [1.0, 0.25]
    assert difficulty(table, bins=3).bins.tolist() == found.bins.tolist()


def test_new_questions_are_binned_by_value():
    found = difficulty([0.9, 0.8, 0.5, 0.4, 0.1, 0.0], bins=3)
    assert found.edges == pytest.approx([0.65, 0.25])
    assert found.of([1.0, 0.66, 0.65, 0.64, 0.25, 0.2, -3]).tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.of(found.ease).tolist() == found.bins.tolist()
    assert len(found) == 3


def test_bins_of_a_random_table_are_equal_in_size_and_ordered():
    rng = np.random.default_rng(0)
    found = difficulty(rng.random((103, 7)), bins=5)
    assert sorted(np.bincount(found.bins)) == [20, 20, 21, 21, 21]
    assert all(found.ease[found.bins == b].min() >= found.ease[found.bins == b + 1].max() for b in range(4))


def test_a_pilot_uses_and_charges_its_samples_only():
    table = np.array([[0, 1, 1, 1], [1, 0, 0, 0]])
    assert difficulty(table, bins=2).bins.tolist() == [0, 1]
    assert difficulty(table, bins=2, cost=10).cost == 40
    cheap = difficulty(table, bins=2, pilot=1, cost=10)
    assert (cheap.bins.tolist(), cheap.cost) == ([1, 0], 10)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ([[1, 0]], {"bins": 2}, "bins"),
        ([0.1, np.nan], {"bins": 1}, "finite"),
        ([], {}, "finite"),
        ([[1, 0], [0, 1]], {"bins": 2, "pilot": 3}, "pilot"),
        ([0.1, 0.2], {"bins": 2, "pilot": 1}, "pilot"),
    ],
)
def test_what_cannot_be_binned_is_refused(table, options, message):
    with pytest.raises(InputError, match=message):
        difficulty(table, **options)


def test_a_new_value_that_is_no_number_is_refused():
    with pytest.raises(InputError):
        difficulty([0.1, 0.2], bins=2).of(np.nan)
