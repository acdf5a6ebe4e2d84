"""Methods that go by how sure the model was of what it wrote, and by reading a question twice."""

from __future__ import annotations

from typing import Annotated

from ponder.core.algebra import Stage
from ponder.core.terms import Range
from ponder.methods.named import named
from ponder.methods.sampling import Samples
from ponder.scorers import Scorer, borda, confidence, heaviest, likelihood
from ponder.stages import prune, sample, vote, weigh


@named
def self_certainty(
    n: Samples,
    power: Annotated[float, Range(0, 100), "of the votes by rank; 0 is a plain vote, a large one takes the surest"] = 1.0,
    scorer: Annotated[Scorer, "how sure: `certainty` is the paper's, where the engine tells it"] = likelihood(),
) -> Stage:
    """A vote in which the surest samples count most, by their rank (Borda voting, Kang et al. 2025, arXiv 2502.18581)."""
    return sample(n) | weigh(borda(scorer, power)) | vote()


@named
def confidence_vote(
    n: Samples,
    share: Annotated[float, Range(0, 1), "how many of the samples vote, the surest"] = 0.9,
    scorer: Annotated[Scorer, "how sure: by the least probable passage"] = confidence(),
) -> Stage:
    """A weighted vote of the samples without a doubtful passage (DeepConf offline, Fu et al. 2025, arXiv 2508.15260)."""
    return sample(n) | weigh(scorer) | prune(heaviest(share)) | vote()


@named
def rereading(n: Samples = 1) -> Stage:
    """Samples whose prompt has the question twice, and a vote (RE2, Xu et al. 2023, arXiv 2309.06275)."""
    return sample(n, style="reread") | vote()
