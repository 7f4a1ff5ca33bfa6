"""Tests with a margin: the numbers (one file per family of tests), and the two verbs on top."""
