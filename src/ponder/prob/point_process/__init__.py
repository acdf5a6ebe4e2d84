"""Sequences of events with marks: the Hawkes process, exactly, and neural models of densities instead of rates.

The neural parts, `ponder.prob.point_process.neural` and `training`, need the extra `torch`.
"""

from ponder.prob.point_process.events import EventBatch, LogProb
from ponder.prob.point_process.hawkes import HawkesExp

__all__ = ["EventBatch", "HawkesExp", "LogProb"]
