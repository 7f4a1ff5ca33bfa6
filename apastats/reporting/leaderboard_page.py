"""A leaderboard as one HTML file: rows stand in the page, a script adds search, order and details; no request."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np

from apastats.printable import clean

__all__ = ["leaderboard_page"]

MOST_APART = 1200  # models up to which the page knows every pair


def leaderboard_page(result: Any, title: str = "Leaderboard") -> str:
    """HTML of a leaderboard.

    Parameters
    ----------
    result : LeaderboardResult
    title : str
        Heading.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("apastats.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    folder = resources.files("apastats.reporting") / "templates"
    css, script = (
        Markup((folder / name).read_text("utf-8")) for name in ("leaderboard.css", "leaderboard.js")
    )
    boards = [_board(result, i, key, cell) for i, (key, cell) in enumerate(result._cells())]
    data = json.dumps([b.pop("data") for b in boards], ensure_ascii=True, allow_nan=False)
    info = result.info
    return environment.get_template("leaderboard.html.j2").render(
        title=clean(title),
        css=css,
        script=script,
        # "</" would end the script element
        data=Markup(data.replace("</", "<\\/").replace("<!", "<\\u0021")),
        boards=boards,
        method=info.method,
        estimand=info.estimand,
        assumes=info.extra["assumes"],
        limits=info.not_concluded,
        conf=f"{100 * float(info.conf_level):g}",
        call=result.provenance.call,
        data_hash=result.provenance.data_hash,
    )


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "\u2212")


def _board(result: Any, i: int, key: dict[str, Any], cell: Any) -> dict[str, Any]:
    """One cell of the leaderboard for the template, and the data of the script."""
    table = result.table
    for column, value in key.items():
        table = table[table[column] == value]
    place_of = {m: k for k, m in enumerate(cell.models)}
    order = np.array([place_of[m] for m in table["model"]])
    seen = np.isfinite(cell.y[order])
    n = len(table)
    said = result.info.extra["cells"][i]
    error = float(np.median(table["std_error"]))
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 6)) if error > 0 else 3
    rows = []
    for k, row in enumerate(table.to_dict(orient="records")):
        low, high = int(row["place_low"]), int(row["place_high"])
        rows.append(
            {
                "k": k,
                "model": clean(str(row["model"])),
                "place": int(row["place"]),
                "low": low,
                "high": high,
                "span": f"{low} to {high}" if low < high else str(low),
                "left": round(100 * (low - 1) / n, 2),
                "width": round(100 * (high - low + 1) / n, 2),
                "mleft": round(100 * (int(row["place_low_marginal"]) - 1) / n, 2),
                "mwidth": round(100 * (int(row["place_high_marginal"]) - int(row["place_low_marginal"]) + 1) / n, 2),
                "dot": round(100 * (int(row["place"]) - 0.5) / n, 2),
                "estimate": _number(row["estimate"], digits),
                "interval": f"{_number(row['conf_low'], digits)} to {_number(row['conf_high'], digits)}",
                "value": f"{row['estimate']:.6g}",
                "best": bool(row["can_be_best"]),
                "tier": int(row["tier"]),
                "n_item": int(row["n_item"]),
                "path": _runs(seen[k]),
            }
        )  # fmt: skip
    scores = [
        [None if not np.isfinite(v) else float(f"{v:.4g}") for v in line] for line in cell.y[order]
    ]
    data = {
        "items": [clean(str(v)) for v in cell.items],
        "scores": scores,
        "alike": _alike(cell, order),
    }
    return {
        "id": f"board-{i + 1}",
        "name": ", ".join(f"{k} {v}" for k, v in key.items()),
        "n_item": len(cell.items),
        "rows": rows,
        "filled": f"{100 * said['filled']:.0f}",
        "undecided": f"{100 * said['undecided']:.0f}",
        "n_best": said["n_can_be_best"],
        "n_tier": said["n_tier"],
        "tipping": "" if said["tipping_delta"] is None else _number(said["tipping_delta"], 2),
        "tipping_model": said["tipping_model"],
        "data": data,
    }


def _runs(seen: np.ndarray) -> str:
    """Path of the items there are, runs as rectangles of height 1."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(int), [0]])))
    return "".join(
        f"M{a} 0h{b - a}v1h-{b - a}z" for a, b in zip(edge[::2], edge[1::2], strict=True)
    )


def _alike(cell: Any, order: np.ndarray) -> list[str]:
    """For every row the rows it is not told apart from, as hexadecimal bits; empty for many models."""
    n = len(order)
    if n > MOST_APART:
        return []
    from apastats.numbers.rank_intervals import pair_errors

    mean, own, shared = cell.mean[order], cell.own[order], cell.shared[order]
    se = pair_errors(own, shared - shared.mean(axis=0), slice(0, n))
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(mean[:, None] - mean[None, :]) > cell.critical * se
    np.fill_diagonal(apart, False)
    packed = np.packbits(~apart, axis=1)
    return [bytes(line).hex() for line in packed]
