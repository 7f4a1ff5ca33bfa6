"""Measures of how alike two data sets are over the same stimuli: one file per family."""
