"""Numbers from arrays: no labels, no words, no tables."""
