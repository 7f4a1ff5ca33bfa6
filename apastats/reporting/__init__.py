"""Reports: sections, prose, tables, figures, citations, and their renderings. No statistic is computed here."""

from __future__ import annotations

from apastats.reporting.citations import references
from apastats.reporting.document import Report, report

__all__ = ["Report", "references", "report"]
