"""Running code that nobody trusts, never in this process."""

from ponder.sandbox.contract import Check, Limits, Outcome, Raised, Sandbox, Status
from ponder.sandbox.finding import find

__all__ = ["Check", "Limits", "Outcome", "Raised", "Sandbox", "Status", "find"]
