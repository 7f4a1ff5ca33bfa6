"""Short clips: simulated with a known latent structure, or read from folders of mp4 files or frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apastats.errors import MissingExtraError, ReadError

FPS, SECONDS, SIZE = 4, 3, 32


def latents(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What a clip is made of: orientation and fineness of its texture, colour, direction and speed of motion."""
    return {
        "orientation": rng.uniform(0, np.pi, n),
        "fineness": rng.uniform(1.5, 5.0, n),
        "colour": rng.uniform(0, 1, (n, 3)),
        "direction": rng.choice([-1.0, 1.0], n),
        "speed": rng.uniform(0.0, 0.25, n),
    }


def render(latent: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Clips ``[clip, frame, channel, height, width]`` from 0 to 1: drifting textures on coloured light."""
    n, n_frame = len(latent["speed"]), FPS * SECONDS
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    t = np.arange(n_frame)
    clips = np.empty((n, n_frame, 3, SIZE, SIZE), dtype=np.float32)
    for i in range(n):
        texture = np.zeros((n_frame, SIZE, SIZE))
        for tilt in (-0.15, 0.0, 0.15):
            angle = latent["orientation"][i] + tilt
            along = latent["fineness"][i] * (x * np.cos(angle) + y * np.sin(angle))
            drift = latent["direction"][i] * latent["speed"][i] * t[:, None, None]
            texture += np.cos(2 * np.pi * (along - drift) + rng.uniform(0, 2 * np.pi)) / 3
        light = 0.5 + 0.3 * texture[:, None] * (0.4 + 0.6 * latent["colour"][i])[:, None, None]
        clips[i] = light + rng.normal(0, 0.02, light.shape)
    return clips.clip(0, 1)


def read_clips(folder: str | Path, *, fps: float = FPS, seconds: float = SECONDS) -> np.ndarray:
    """Clips of a folder, in the order of their names, ``[clip, frame, channel, height, width]`` from 0 to 1.

    Each mp4 file is a clip (through PyAV, ``pip install av``), and so is each folder of pictures, which are its frames
    at ``fps``. ``fps * seconds`` frames are taken, of a film the ones nearest in time.
    """
    n_frame = round(fps * seconds)
    places = [p for p in sorted(Path(folder).iterdir()) if p.suffix == ".mp4" or p.is_dir()]
    if not places:
        raise ReadError(folder, "no mp4 files and no folders of frames")
    clips = [_frames(p) if p.is_dir() else _film(p, fps, n_frame) for p in places]
    for place, clip in zip(places, clips, strict=True):
        if len(clip) < n_frame:
            raise ReadError(place, f"{len(clip)} frames; {n_frame} are needed")
    return np.stack([c[:n_frame] for c in clips])


def _frames(folder: Path) -> np.ndarray:
    from PIL import Image

    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    frames = [np.asarray(Image.open(p).convert("RGB"), dtype=np.float32) for p in files]
    if not frames:
        raise ReadError(folder, "no pictures")
    return np.stack(frames).transpose(0, 3, 1, 2) / 255


def _film(path: Path, fps: float, n_frame: int) -> np.ndarray:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "video") from error
    with av.open(str(path)) as film:
        found = [(f.time, f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]
    times = np.array([t for t, _ in found])
    picks = [
        int(np.abs(times - k / fps).argmin())
        for k in range(n_frame)
        if k / fps <= times[-1] + 1 / fps
    ]
    return np.stack([found[i][1] for i in picks]).transpose(0, 3, 1, 2).astype(np.float32) / 255
