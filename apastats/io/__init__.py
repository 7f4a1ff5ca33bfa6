"""Readers and writers, a file per family; none drops a row silently."""
