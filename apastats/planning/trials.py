"""What is tried in a calibration: the recommended defaults, and beside them those of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apastats.planning.peers import PEERS
from apastats.planning.simulated import QUANTITIES, Study, Trial
from apastats.planning.trials_rdms import RDM_TRIALS
from apastats.planning.trials_scores import SCORE_TRIALS

__all__ = ["ALL", "PEERS", "QUANTITIES", "TRIALS", "Study", "Trial"]

TRIALS: Mapping[str, Trial] = MappingProxyType({**SCORE_TRIALS, **RDM_TRIALS})
ALL: Mapping[str, Trial] = MappingProxyType({**TRIALS, **PEERS})
