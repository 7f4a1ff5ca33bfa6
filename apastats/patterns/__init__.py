"""Alignment pattern analysis: patterns, agreement with the brain, and what the agreement is worth."""

from __future__ import annotations

from apastats.patterns.agreement import pattern_agreement
from apastats.patterns.nulls import AgreementTest, agreement_test
from apastats.patterns.profiles import AlignmentPatterns, alignment_patterns
from apastats.patterns.similarity import pattern_similarity
from apastats.selection import select_layer, selected_rows

__all__ = [
    "AgreementTest",
    "AlignmentPatterns",
    "agreement_test",
    "alignment_patterns",
    "pattern_agreement",
    "pattern_similarity",
    "select_layer",
    "selected_rows",
]
