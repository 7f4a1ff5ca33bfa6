"""Visual regions of the BOLD Moments analysis (Glasser HCP-MMP labels, hemispheres merged): order and streams."""

from __future__ import annotations

__all__ = ["BMD_EXTRA_ROIS", "BMD_ROIS", "BMD_STREAMS", "stream_map"]

BMD_STREAMS: dict[str, tuple[str, ...]] = {
    "early": ("V1", "V2", "V3"),
    "ventral": ("V4", "V8", "PIT", "FFC"),
    "dorsal": ("V3A", "V3B", "V6", "V6A", "V7", "IPS1", "MT", "MST", "FST", "LO1", "LO2", "LO3"),
}
BMD_ROIS: tuple[str, ...] = tuple(roi for rois in BMD_STREAMS.values() for roi in rois)
# scored in the published sheets, left out of the analysis
BMD_EXTRA_ROIS: tuple[str, ...] = (
    *("IP0", "IP1", "MIP", "VIP", "LIPd", "LIPv", "AIP", "7Pm", "7PL", "7PC", "7Am", "7AL"),
    *("VVC", "VMV1", "VMV2", "VMV3", "PHA2", "PHA3", "PH"),
)


def stream_map() -> dict[str, str]:
    """Stream of each of the 19 regions."""
    return {roi: stream for stream, rois in BMD_STREAMS.items() for roi in rois}
