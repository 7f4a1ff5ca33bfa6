"""RDM similarities under resampled stimuli: weights of pairs, kernels, both factors at once."""
