"""Compact letter display: means that share a letter were not shown to differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from apastats.arguments import checked, instance, items
from apastats.errors import InputError, shown

__all__ = ["compact_letters", "letters_of"]


@checked
def compact_letters(labels: Sequence[str], different: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Letters: two labels share one exactly when they were not shown to differ.

    Parameters
    ----------
    labels : sequence of str
        In the order in which letters are given (best first).
    different : iterable of (str, str)
        Pairs shown to be different.

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        If a pair has an unknown label.

    See Also
    --------
    compare, adjust_p, emmeans

    Notes
    -----
    Insert-and-absorb algorithm of Piepho (2004), Journal of Computational and Graphical Statistics 13:456.

    References
    ----------
    .. [1] Piepho, H. P. (2004). An algorithm for a letter-based representation of all-pairwise comparisons.
       Journal of Computational and Graphical Statistics, 13(2), 456–466.
       https://doi.org/10.1198/1061860043515

    Examples
    --------
    >>> compact_letters(["a", "b", "c"], [("a", "c")])
    {'a': 'a', 'b': 'ab', 'c': 'b'}
    """
    # text in the signature, but any labels that can be told apart will do
    names = items("labels", labels, "a list of labels")
    apart = np.zeros((len(names), len(names)), bool)
    pairs = f"pairs of two of {shown(list(names))}"
    instance("different", different, Iterable, pairs)
    if isinstance(different, np.ndarray) and different.ndim == 0:
        raise InputError("different", different, pairs)
    for pair in different:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError("different", pair, pairs)
        u, v = pair
        if u not in names or v not in names or u == v:
            raise InputError("different", pair, pairs)
        i, j = names.index(u), names.index(v)
        apart[i, j] = apart[j, i] = True
    return dict(zip(names, letters_of(apart), strict=True))


def letters_of(different: np.ndarray) -> list[str]:
    """Letters per mean from a symmetric ``[k, k]`` table of which pairs differ.

    Insert and absorb (Piepho 2004, J. Comput. Graph. Statist. 13, 456): start with one column that holds
    everybody, split it at every pair that differs, and drop columns contained in others. Means in the order given;
    earlier means get earlier letters.

    Examples
    --------
    >>> letters_of(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    ['a', 'ab', 'b']
    """
    k = len(different)
    columns = [frozenset(range(k))]
    for i in range(k):
        for j in range(i + 1, k):
            if not different[i, j]:
                continue
            split: list[frozenset[int]] = []
            for column in columns:
                split += [column - {i}, column - {j}] if {i, j} <= column else [column]
            # a column inside another one says nothing new
            unique = list(dict.fromkeys(split))
            columns = [c for c in unique if not any(c < other for other in unique)]
    columns.sort(key=sorted)
    return ["".join(_letter(a) for a, c in enumerate(columns) if i in c) for i in range(k)]


def _letter(i: int) -> str:
    """The i-th letter: a..z, A..Z, then numbered."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return alphabet[i] if i < len(alphabet) else f"({i + 1})"
