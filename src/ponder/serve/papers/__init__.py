"""The papers as pages: search, a page for each, running its reproduction, a feed of verdicts."""
