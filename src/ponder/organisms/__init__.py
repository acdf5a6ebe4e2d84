"""Small trained models whose every claim can be measured on a laptop: their grammars, their net, and the weights that are shipped."""
