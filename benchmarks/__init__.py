"""Speed against the peers, in one process, with agreement beside every ratio."""

import os

# one BLAS thread on both sides; has to be set before numpy is imported
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
