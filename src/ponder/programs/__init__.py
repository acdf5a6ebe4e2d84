"""Things that can be started and extended, and the prompts that language models are started with."""
