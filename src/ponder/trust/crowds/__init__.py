"""Truth from crowds: one answer out of the noisy answers of many, in batches of millions or as a stream."""

from ponder.core.errors import InputError, did_you_mean
from ponder.trust.crowds.calibrate import calibrated
from ponder.trust.crowds.ebcc import EBCC
from ponder.trust.crowds.em import DawidSkene, OneCoin
from ponder.trust.crowds.glad import GLAD
from ponder.trust.crowds.labels import Labels, labels_of
from ponder.trust.crowds.mace import MACE
from ponder.trust.crowds.online import OnlineCrowd
from ponder.trust.crowds.redundancy import stopped_early
from ponder.trust.crowds.simulate import Crowd, simulate_crowd
from ponder.trust.crowds.truth import Aggregator, Truth
from ponder.trust.crowds.votes import MajorityVote, Wawa, ZeroBasedSkill

AGGREGATORS: dict[str, type[Aggregator]] = {
    "majority": MajorityVote,
    "wawa": Wawa,
    "zero_based_skill": ZeroBasedSkill,
    "one_coin": OneCoin,
    "zencrowd": OneCoin,
    "dawid_skene": DawidSkene,
    "glad": GLAD,
    "mace": MACE,
    "ebcc": EBCC,
}


def aggregator(name: str) -> Aggregator:
    """The aggregator that a text names, with its usual settings.

    Raises:
        InputError: for an unknown name.
    """
    if name not in AGGREGATORS:
        raise InputError(f"no aggregator is called {name!r}; {did_you_mean(name, AGGREGATORS, 'there are ' + ', '.join(AGGREGATORS))}")
    return AGGREGATORS[name]()


__all__ = [
    "AGGREGATORS",
    "EBCC",
    "GLAD",
    "MACE",
    "Aggregator",
    "Crowd",
    "DawidSkene",
    "Labels",
    "MajorityVote",
    "OneCoin",
    "OnlineCrowd",
    "Truth",
    "Wawa",
    "ZeroBasedSkill",
    "aggregator",
    "calibrated",
    "labels_of",
    "simulate_crowd",
    "stopped_early",
]
