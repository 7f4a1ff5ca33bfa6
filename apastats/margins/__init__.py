"""Margins, and decisions as a function of the margin."""
