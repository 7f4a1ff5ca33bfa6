"""Read a saved result of any kind."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from apastats.arguments import checked
from apastats.errors import ApaError, InputError, ReadError
from apastats.io.arrays import DAMAGED, affordable, first_line, load_npz
from apastats.results import Provenance, Result
from apastats.words import Info, fitting, read_json


@checked
def load_result(path: str | Path) -> Result:
    """Read a saved result of any kind.

    Parameters
    ----------
    path : str or path
        Folder written by ``result.save``.

    Returns
    -------
    Result
        Of the class that was saved.

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the
        family), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``conf_low_difference`` (lower limit beside the ordinary
        test), ``conf_high_difference`` (upper limit beside the ordinary test), ``conf_level_difference``
        (level of that interval), ``conf_low_joint`` (lower limit of the simultaneous interval),
        ``conf_high_joint`` (upper limit of the simultaneous interval), ``conf_level_joint`` (level of the
        simultaneous intervals), ``conf_low_joint_margin`` (lower limit of the simultaneous interval of the
        margin), ``conf_high_joint_margin`` (upper limit of the simultaneous interval of the margin),
        ``conf_level_joint_margin`` (level of those intervals), ``effect`` (which effect size it is),
        ``effect_size`` (standardised effect), ``effect_low`` (lower limit of the effect size),
        ``effect_high`` (upper limit of the effect size), ``bound_low`` (lower margin), ``bound_high`` (upper
        margin), ``statistic_low`` (statistic against the lower margin), ``statistic_high`` (statistic against
        the upper margin), ``p_value_noninf`` (p-value against the lower margin), ``p_value_nonsup`` (p-value
        against the upper margin), ``p_value_equiv`` (p-value of equivalence, the larger of the one-sided
        ones), ``p_value_noninf_adjusted`` (adjusted p-value against the lower margin),
        ``p_value_nonsup_adjusted`` (adjusted p-value against the upper margin), ``p_value_equiv_adjusted``
        (adjusted p-value of equivalence), ``decision`` (equivalent, different, ..., or undecided),
        ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    ReadError
        If the folder is not a saved result, or one of a version whose words were not typed yet.

    See Also
    --------
    run_study, report

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import tempfile
    >>> import apastats as apa
    >>> made = apa.power_tost(n=20, sd=1, bounds=0.5)
    >>> with tempfile.TemporaryDirectory() as d:
    ...     folder = made.save(d + "/power")
    ...     same = apa.load_result(folder).tidy().equals(made.tidy())
    >>> same
    True
    """
    folder = Path(path)
    try:
        meta = read_json(folder / "result.json")
        table = read_parquet(folder / "table.parquet")
        arrays, objects = load_npz(folder / "arrays.npz")
        if objects:
            raise TypeError(f"array {objects[0]!r} holds Python objects")
        kind, words, notes = meta["kind"], meta["info"], tuple(meta["notes"])
        provenance = Provenance(**meta["provenance"])
        if not isinstance(kind, str) or not all(isinstance(n, str) for n in notes):
            raise TypeError("its kind or notes are no text")
        if not isinstance(provenance.versions, dict):
            raise TypeError("its versions are no mapping")
    except ReadError as error:
        hint = "; apa.read reads tables, and folders of scores of units"
        raise ReadError(folder, f"not a saved apastats result ({error}){hint}") from error
    except (*DAMAGED, RecursionError, MemoryError) as error:
        raise ReadError(folder, f"not a saved apastats result ({first_line(error)})") from error
    try:
        info = fitting(Info.from_dict(words))
        fitting(provenance)
    except (KeyError, TypeError, AttributeError, ValueError, InputError) as error:
        raise ReadError(
            folder,
            f"its words are not those of this version (saved by apastats {provenance.versions.get('apastats', '?')}); "
            "run the analysis again",
        ) from error
    load_kinds()
    cls = Result._registry.get(kind)
    if cls is None:
        raise ReadError(folder, f"result of unknown kind {kind!r}")
    try:
        return cls(table, info, provenance, arrays, notes)
    except (*DAMAGED, ApaError) as error:
        raise ReadError(folder, f"its parts do not fit together ({first_line(error)})") from error


def read_parquet(path: Path) -> pd.DataFrame:
    """Table of a parquet file, after a look at how much data it declares."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = range(file.metadata.num_row_groups)
        affordable(path, sum(file.metadata.row_group(i).total_byte_size for i in groups))
    return pd.read_parquet(path)


def load_kinds() -> None:
    """Import every module that defines a result class, so that all kinds are known."""
    import importlib

    import apastats

    for module in sorted(set(apastats.EXPORTS.values())):
        importlib.import_module(module)
