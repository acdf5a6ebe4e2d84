"""Learning to think: the smallest trainer, and the recipes of the organisms that ponder ships. Needs the extra `torch`."""
