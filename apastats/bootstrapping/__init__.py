"""Bootstrap estimates with intervals: of tables, of arrays, of RDMs."""
