"""Reports: sections, prose, tables, figures, citations, and their renderings. No statistic is computed here."""
