"""Alignment pattern analysis: patterns, agreement with the brain, and what the agreement is worth."""
