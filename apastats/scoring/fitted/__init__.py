"""Models whose RDM depends on parameters: how they are fitted, how folds and resamples share one product.

Derivation. A model is a set of K member RDMs m_k and a rule that makes one RDM of them. It is fitted to the mean
similarity with the training subjects, ``f(w) = sum_s v_s <x_s, M'w> / (|x_s| |M'w|)``, with the inner product of
the criterion (cosine, correlation, whitened or not) over the training pairs and v_s how often subject s was drawn. With

    A_kl = <m_k, m_l>,   b_k = sum_s v_s <x_s, m_k> / |x_s|        f(w) = w'b / sqrt(w'A w)

so that every fit needs only inner products, the normal equations of least squares:

* weighted, free: f is largest at ``w = A^-1 b`` (Cauchy and Schwarz), least squares of the pooled RDM on the members.
* weighted, non-negative: on a cone the direction of the largest f is that of the minimum of ``w'A w / 2 - w'b``
  (its length profiled out, the minimum is ``-f^2 / 2`` wherever f > 0); where no b_k is positive the best ray is a
  single member. Feature weights and pattern components are this model with a member per feature (squared differences)
  or per component (distances of its second moment).
* ridge: ``(A + ridge I) w = b`` with the members scaled to ``A_kk = 1`` in the training data.
* select: f of a single member is ``b_k / sqrt(A_kk)``; its largest is an argmax of products already made.
* interpolate: the non-negative solution in the cone of two neighbours, in closed form, the best pair of all.

The score of test subject t is ``<x_t, M'w> / (|x_t| |M'w|)`` over the test pairs: again inner products.

Resamples and folds. Drawing stimulus a c_a times weighs the pair (a, b) by ``c_a c_b`` and leaves copies of one
stimulus out; a fold sets c to 0 outside its stimuli. With Z the RDMs of subjects and members and w the weights of
the pairs, all inner products of a fold are ``Z' diag(w) Z``: the pairs of its stimuli are gathered, times the root of
w, and many folds are one batched product (:class:`apastats.scoring.fitted.grams.PairGrams`; the whitened forms by
Sherman and Morrison, rank criteria by weighted mid-ranks). Half of a resample of 92 stimuli has about 400 of the 4186
pairs. Folds over subjects choose rows of these Gram matrices and cost nothing. The small systems of all folds are
eliminated together (:mod:`apastats.scoring.fitted.solve`). Draws of subjects alone share the partitions of the data,
whose Gram matrices are there.
"""
