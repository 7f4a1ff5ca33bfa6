"""Linear mixed models: formula, profiled likelihood, degrees of freedom, marginal means."""
