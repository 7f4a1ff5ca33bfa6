"""Effect sizes and shares of variance."""
