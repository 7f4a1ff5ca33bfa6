"""Resampling on arrays: plans (who is drawn), the engine that runs them, intervals on replicates.

Nothing here knows of models or ROIs; ``apastats.bootstrapping`` and the tests of means bring those.
"""
