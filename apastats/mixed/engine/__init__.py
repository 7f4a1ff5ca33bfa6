"""The engine of the mixed models: design, profiled likelihood, degrees of freedom, contrasts."""
