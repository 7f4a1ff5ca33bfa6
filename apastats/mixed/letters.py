"""Compact letter display: means that share a letter were not shown to differ."""

from __future__ import annotations

import numpy as np

__all__ = ["compact_letters"]


def compact_letters(different: np.ndarray) -> list[str]:
    """Letters per mean from a symmetric ``[k, k]`` table of which pairs differ.

    Insert and absorb (Piepho 2004, J. Comput. Graph. Statist. 13, 456): start with one column that holds
    everybody, split
    it at every pair that differs, and drop columns contained in others. Means in the order given; earlier means get
    earlier letters.

    Examples
    --------
    >>> compact_letters(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    ['a', 'ab', 'b']
    """
    k = len(different)
    columns = [frozenset(range(k))]
    for i in range(k):
        for j in range(i + 1, k):
            if not different[i, j]:
                continue
            new = []
            for column in columns:
                if i in column and j in column:
                    new += [column - {i}, column - {j}]
                else:
                    new.append(column)
            unique = list(dict.fromkeys(new))
            columns = [c for c in unique if not any(c < other for other in unique)]
    columns.sort(key=sorted)
    return ["".join(_letter(a) for a, c in enumerate(columns) if i in c) for i in range(k)]


def _letter(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
