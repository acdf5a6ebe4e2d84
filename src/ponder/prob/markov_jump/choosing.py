"""Which way to find rates: the network where label noise is unknown and the data are like its training, EM elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ponder.prob.markov_jump.fitting import WEAK_PRIOR, fit
from ponder.prob.markov_jump.network import RateNetwork, shipped
from ponder.prob.markov_jump.panel import Panel


@dataclass(frozen=True)
class ChosenRates:
    """Rates, and how they were found.

    Attributes:
        rates: shape (n, n), rows sum to 0.
        initial: distribution of the first state, shape (n,).
        sd: standard deviations, where the method gives them; else None.
        method: "network", "MAP-EM" or "HMM-EM".
        why: the reason, in one sentence.
    """

    rates: np.ndarray
    initial: np.ndarray
    sd: np.ndarray | None
    method: str
    why: str


def infer_rates(panel: Panel, label_noise: float | None = None, network: RateNetwork | None = None) -> ChosenRates:
    """Find rates by the method that was best on data like these (the reproduction `fim-mjp` measures it).

    On clean labels, and where the noise is known, EM with a weak prior is at least as near as the network. Where it is not known, EM takes
    wrong labels for fast jumps there and back, and the network does not.

    Args:
        panel: the observations.
        label_noise: the probability of a wrong label, if it is known; 0 for clean labels.
        network: by default the one that ponder ships.

    Raises:
        InputError: label noise outside [0, 1).
    """
    if label_noise is None:
        reader = network or shipped()
        if panel.n_states <= reader.most_states:
            said = reader.infer(panel)
            if said.in_domain:
                return ChosenRates(
                    said.rates, said.initial, said.sd, "network", "the label noise is not known, and the data are in its domain"
                )
            why = "the data are outside the network's domain: labels are taken for right"
        else:
            why = f"the network knows no chains of {panel.n_states} states: labels are taken for right"
    else:
        why = f"the label noise is known to be {label_noise:g}"
    found = fit(panel, WEAK_PRIOR, label_noise or 0.0)
    return ChosenRates(found.rates, found.initial, None, "HMM-EM" if label_noise else "MAP-EM", why)
