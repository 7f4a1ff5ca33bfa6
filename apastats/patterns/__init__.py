"""Alignment pattern analysis: patterns, agreement with the brain, and what the agreement is worth."""

from __future__ import annotations

from apastats.patterns.agreement import pattern_agreement
from apastats.patterns.profiles import AlignmentPatterns, alignment_patterns
from apastats.patterns.similarity import pattern_similarity
from apastats.selection import select_layer, selected_rows

__all__ = [
    "AlignmentPatterns",
    "alignment_patterns",
    "pattern_agreement",
    "pattern_similarity",
    "select_layer",
    "selected_rows",
]
