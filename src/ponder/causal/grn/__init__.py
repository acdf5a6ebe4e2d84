"""Gene regulatory networks from counts with dropouts, by test-wise deletion of zeros (Dai et al. 2024)."""

from ponder.causal.grn.dropout import drop_out, random_network, simulate_expression
from ponder.causal.grn.zero_deletion import ZeroDeletedCITest, expression, rows_left

__all__ = ["ZeroDeletedCITest", "drop_out", "expression", "random_network", "rows_left", "simulate_expression"]
