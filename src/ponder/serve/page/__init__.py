"""The page: a question is asked in a browser, and the population is seen to grow."""
