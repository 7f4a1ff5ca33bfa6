"""Regions (Glasser HCP-MMP labels, hemispheres merged) and networks of the published BOLD Moments analysis."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from apastats.errors import InputError

__all__ = ["BMD_EXTRA_ROIS", "BMD_MODELS", "BMD_ROIS", "BMD_STREAMS"]

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

_TASKS = (
    *("autoencoding", "class_object", "class_scene", "colorization", "curvature", "denoising"),
    *("depth_euclidean", "depth_zbuffer", "edge_occlusion", "edge_texture", "egomotion"),
    *("fixated_pose", "inpainting", "jigsaw", "keypoints2d", "keypoints3d", "nonfixated_pose"),
    *("normal", "point_matching", "reshading", "room_layout", "segment_semantic"),
    *("segment_unsup25d", "segment_unsup2d", "vanishing_point"),
)
# networks scored in the published sheets, and how many layers of each: 505 in all
BMD_MODELS: dict[str, int] = {
    **{f"v_jepa/vjepa2_vit_{size}": 15 for size in ("giant", "giant_384", "huge", "large")},
    **{f"clip/{k}": 15 for k in ("RN50", "ViT-B/16", "ViT-B/32", "ViT-L/14", "ViT-L/14@336px")},
    "vggt/VGGT-1B": 15,
    "mmaction2/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb": 15,
    "mmaction2/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb": 15,
    "mmaction2/timesformer_jointST_8xb8-8x32x1-15e_kinetics400-rgb": 15,
    "opt_cwm/opt_cwm": 15,
    **{f"timm/convnext_{size}.fb_in1k": 15 for size in ("tiny", "small", "base", "large")},
    **{f"timm/resnet{depth}.a1_in1k": 15 for depth in (18, 50)},
    **{f"vissl/simclr_resnet{depth}_1000epochs": 15 for depth in (50, 101)},
    **{f"taskonomy/{task}": 7 for task in _TASKS},
}


def keep_rois(
    frame: pd.DataFrame, rois: Sequence[str], source: str
) -> tuple[pd.DataFrame, list[str]]:
    """Rows whose target ROI (and predictor ROI of brain rows) is in ``rois``, in that order."""
    present = set(frame["roi"].unique())
    unknown = [r for r in rois if r not in present]
    if unknown:
        raise InputError("rois", unknown[0], f"ROIs among {sorted(map(str, present))} ({source})")
    keep = frame["roi"].isin(rois)
    if "kind" in frame.columns and "layer" in frame.columns:
        keep &= (frame["kind"] == "model") | frame["layer"].isin(rois)
    gone = sorted(present - set(rois))
    rank = frame["roi"].astype(str).map({r: i for i, r in enumerate(rois)})
    kept = (
        frame[keep]
        .assign(_rank=rank[keep])
        .sort_values("_rank", kind="stable")
        .drop(columns="_rank")
    )
    log = (
        [f"{int((~keep).sum())} rows of {len(gone)} other ROIs dropped: {', '.join(gone)}"]
        if gone
        else []
    )
    return kept.reset_index(drop=True), log
