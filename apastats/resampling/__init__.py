"""Resampling on arrays: plans (who is drawn), the engine that runs them, intervals on replicates.

Nothing here knows of models or ROIs; ``apastats.estimates.means`` and the tests of means bring those.
"""
