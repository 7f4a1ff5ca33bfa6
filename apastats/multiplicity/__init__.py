"""Families of tests: adjusted p-values, closed testing, and the distributions behind simultaneous inference."""
