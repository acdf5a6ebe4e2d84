"""Running code that nobody trusts, never in this process."""

from ponder.sandbox.contract import Check, Limits, Outcome, Raised, Sandbox, Status

__all__ = ["Check", "Limits", "Outcome", "Raised", "Sandbox", "Status"]
