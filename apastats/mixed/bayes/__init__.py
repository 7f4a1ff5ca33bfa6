"""The Bayesian engine: a model of a design, sampled, checked, summarised."""
