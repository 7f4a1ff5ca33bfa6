"""Tests of correlations with a margin."""
