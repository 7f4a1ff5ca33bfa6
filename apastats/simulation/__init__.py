"""Studies with a known truth."""
