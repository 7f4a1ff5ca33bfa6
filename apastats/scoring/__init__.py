"""Scores from RDMs, response patterns and network activations, as batched array kernels."""
