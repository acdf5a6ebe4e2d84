"""Six tasks on which talking it through hurts people (Liu et al. 2024, arXiv 2410.21333), made from nothing but a seed.

Direct answers are the prompt style "plain", thinking is "cot"; `ponder.bench.conditions` compares the two on the same items.
"""

from ponder.tasks.base import Maker
from ponder.tasks.mind_your_step.exceptions import VEHICLE_EXCEPTIONS
from ponder.tasks.mind_your_step.faces import FACES
from ponder.tasks.mind_your_step.glasses import TILTED_GLASSES
from ponder.tasks.mind_your_step.grammar import ARTIFICIAL_GRAMMAR
from ponder.tasks.mind_your_step.inconsistency import INCONSISTENCY
from ponder.tasks.mind_your_step.preferences import FEATURE_PREFERENCE

MIND_YOUR_STEP: dict[str, Maker] = {
    "artificial-grammar": ARTIFICIAL_GRAMMAR,
    "faces": FACES,
    "vehicle-exceptions": VEHICLE_EXCEPTIONS,
    "inconsistency": INCONSISTENCY,
    "tilted-glasses": TILTED_GLASSES,
    "feature-preference": FEATURE_PREFERENCE,
}
