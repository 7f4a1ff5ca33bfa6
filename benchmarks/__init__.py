"""Speed against the peers, in one process, with agreement beside every ratio."""
