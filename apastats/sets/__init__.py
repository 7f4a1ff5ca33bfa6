"""Equivalence sets, and how well an outcome separates models."""
