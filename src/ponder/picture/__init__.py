"""Seeing a search: the population as a tree, in the terminal, as an SVG and as a page."""
