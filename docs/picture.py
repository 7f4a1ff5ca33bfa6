"""Make docs/_static/report.png, the picture of the README: the first screen of the demo's report, by chromium."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "reports" / "demo" / "report.html"
TARGET = ROOT / "docs" / "_static" / "report.png"


def main() -> None:
    """Photograph the page and keep a palette of 64 colours, which is small enough to be tracked."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--window-size=1100,900",
                f"--screenshot={raw}",
                REPORT.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        with Image.open(raw) as page:
            page.convert("RGB").quantize(64).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
