"""``python -m apastats``: the command line."""

from apastats.cli import main

main()
