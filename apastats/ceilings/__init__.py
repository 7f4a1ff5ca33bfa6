"""References, noise ceilings and normalised scores."""
