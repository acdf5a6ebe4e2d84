"""Interventions by surgery on string diagrams (Jacobs, Kissinger & Zanasi 2019): syntax, meaning, combs, effects, drawings."""

from ponder.causal.diagrams.channel import Channel, State, SupportError
from ponder.causal.diagrams.comb import Comb, comb_disintegrate
from ponder.causal.diagrams.diagram import Box, Diagram, Wire
from ponder.causal.diagrams.drawing import svg
from ponder.causal.diagrams.effects import Admg, NotIdentified, causal_effect, latent_projection

__all__ = [
    "Admg",
    "Box",
    "Channel",
    "Comb",
    "Diagram",
    "NotIdentified",
    "State",
    "SupportError",
    "Wire",
    "causal_effect",
    "comb_disintegrate",
    "latent_projection",
    "svg",
]
