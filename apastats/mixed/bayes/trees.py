"""What is kept of a fit: draws as a tree with the groups that arviz expects, and the rows it was made of.

arviz's checks and figures then work on a fit, and marginal means on one that was read from disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from apastats.mixed.bayes.checks import log_likelihood, posterior_outcomes_all
from apastats.mixed.bayes.engine import Draws, quiet
from apastats.mixed.engine.design import Design, build_design
from apastats.mixed.engine.formula import parse_mixed_formula

__all__ = ["LIMIT", "design_of", "frame_arrays", "row_arrays", "tree_of", "with_rows"]

# numbers per group: beyond it (300 MB) the rows of a fit are left out of its tree
LIMIT = 40_000_000


def row_arrays(draws: Draws, design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Log likelihood and new outcomes of every row ``[chain, draw, n]``, and the outcome; empty where too many."""
    if draws.coefficients[..., 0].size * design.n > LIMIT:
        return {}
    return {
        "log_likelihood": log_likelihood(draws, design).astype(np.float32),
        "posterior_predictive": posterior_outcomes_all(draws, design, rng).astype(np.float32),
        "observed": design.y,
    }


def _groups(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    return {
        "log_likelihood": {"outcome": np.asarray(arrays["log_likelihood"], dtype=float)},
        "posterior_predictive": {
            "outcome": np.asarray(arrays["posterior_predictive"], dtype=float)
        },
        "observed_data": {"outcome": np.asarray(arrays["observed"], dtype=float)},
    }


def with_rows(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The sampler's tree with ``log_likelihood``, ``posterior_predictive`` and ``observed_data``."""
    if "log_likelihood" not in arrays:
        return tree
    import arviz_base

    with quiet():
        more = arviz_base.from_dict(_groups(arrays))
        for name in more.children:
            tree[name] = more[name].copy()
    return tree


def tree_of(arrays: Mapping[str, np.ndarray]) -> Any:
    """A tree from the arrays of a result read from disk; None without arviz or without them."""
    if "log_likelihood" not in arrays or "coefficients" not in arrays:
        return None
    try:
        import arviz_base
    except ImportError:
        return None
    posterior = {name: np.asarray(arrays[name]) for name in ("coefficients", "scales")}
    with quiet():
        return arviz_base.from_dict({"posterior": posterior, **_groups(arrays)})


_VALUES, _CODES, _LEVELS = "rows values ", "rows codes ", "rows levels "


def frame_arrays(design: Design) -> dict[str, np.ndarray]:
    """Columns of the rows used, as plain arrays: numbers as they are, all else as codes and levels in their order.

    Columns that the model does not name are kept too where they group levels (the stream of a ROI); empty where there
    are too many rows.
    """
    frame = design.source.iloc[design.positions]
    if frame.size > LIMIT:
        return {}
    out: dict[str, np.ndarray] = {}
    for name in frame.columns:
        column = frame[name]
        if not isinstance(name, str) or column.isna().any():
            continue
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)
        if number or pd.api.types.is_bool_dtype(column):
            out[_VALUES + name] = column.to_numpy()
            continue
        given = isinstance(column.dtype, pd.CategoricalDtype)
        levels = column if given else column.astype(object).astype("category")
        names = list(levels.cat.categories)
        if all(isinstance(v, str) for v in names):
            # the last entry says whose order it is
            order = "sorted" if not given else "ordered" if levels.cat.ordered else "given"
            out[_CODES + name] = levels.cat.codes.to_numpy(dtype=np.int32)
            out[_LEVELS + name] = np.asarray([*names, order], dtype=str)
    return out


def design_of(arrays: Mapping[str, np.ndarray], formula: str) -> Design | None:
    """The design again, of the rows that were saved with a fit; None where there are none."""
    import warnings

    columns: dict[str, Any] = {}
    for name, values in arrays.items():
        if name.startswith(_VALUES):
            columns[name.removeprefix(_VALUES)] = values
        elif name.startswith(_CODES):
            own = name.removeprefix(_CODES)
            *levels, order = np.asarray(arrays[_LEVELS + own]).tolist()
            column = pd.Categorical.from_codes(values, levels, ordered=order == "ordered")
            columns[own] = np.asarray(column, dtype=object) if order == "sorted" else column
    if not columns:
        return None
    with warnings.catch_warnings():
        # what was said when the fit was made stands in its notes
        warnings.simplefilter("ignore")
        return build_design(parse_mixed_formula(formula), pd.DataFrame(columns))
