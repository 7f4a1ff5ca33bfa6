"""Similarities by repsim 0.1.5 that tests/scoring/test_measures.py holds: ``pip install repsim==0.1.5``, then run this.

Its estimator ``song`` of CKA is left out: it is not equation 5 of Song et al. (2012), which ours is.
"""

from __future__ import annotations

import sys

import numpy as np
import repsim


def main() -> None:
    """Print them with all digits."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 6))
    y = 3 + x[:, :5] + 0.8 * rng.standard_normal((200, 5))
    found = {
        "cka": repsim.cka([x, y], "linear", "gretton"),
        "cca": repsim.cca([x, y], "pillai"),
        "pwcca": repsim.pwcca([x, y]),
    }
    sys.stdout.write("".join(f"{name} {float(v[0, 1])!r}\n" for name, v in found.items()))


if __name__ == "__main__":
    main()
