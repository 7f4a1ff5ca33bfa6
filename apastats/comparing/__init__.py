"""Comparisons: tests with and without a margin, sets, margins, effect sizes, ranks."""
