"""What changed in the catalog, by e-mail: who gets it, what is in it, how it is sent."""
