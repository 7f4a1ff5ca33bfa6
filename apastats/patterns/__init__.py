"""Alignment pattern analysis: patterns, agreement with the brain, and what the agreement is worth."""

from __future__ import annotations

from apastats.patterns.agreement import pattern_agreement
from apastats.patterns.external import MatrixAgreement, matrix_agreement
from apastats.patterns.identification import PatternIdentification, pattern_identification
from apastats.patterns.layerwise import LayerAgreement, layer_agreement
from apastats.patterns.nulls import AgreementTest, agreement_test
from apastats.patterns.profiles import AlignmentPatterns, alignment_patterns
from apastats.patterns.random_features import random_feature_models
from apastats.patterns.reliability import (
    DisattenuatedAgreement,
    PatternReliability,
    disattenuated_agreement,
    pattern_reliability,
    spearman_brown,
)
from apastats.patterns.resampled import AgreementBootstrap, agreement_bootstrap
from apastats.patterns.second_order import SecondOrder, second_order_similarity
from apastats.patterns.second_order_of_rdms import second_order_rdms
from apastats.patterns.similarity import pattern_similarity
from apastats.patterns.strict import StrictAlignment, strict_alignment
from apastats.patterns.variants import AgreementSensitivity, agreement_sensitivity
from apastats.selection import select_layer, selected_rows

__all__ = [
    "random_feature_models",
    "LayerAgreement",
    "layer_agreement",
    "AgreementSensitivity",
    "agreement_sensitivity",
    "StrictAlignment",
    "strict_alignment",
    "MatrixAgreement",
    "matrix_agreement",
    "SecondOrder",
    "second_order_rdms",
    "second_order_similarity",
    "AgreementBootstrap",
    "agreement_bootstrap",
    "DisattenuatedAgreement",
    "PatternIdentification",
    "PatternReliability",
    "disattenuated_agreement",
    "pattern_identification",
    "pattern_reliability",
    "spearman_brown",
    "AgreementTest",
    "AlignmentPatterns",
    "agreement_test",
    "alignment_patterns",
    "pattern_agreement",
    "pattern_similarity",
    "select_layer",
    "selected_rows",
]
