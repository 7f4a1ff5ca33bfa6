"""Report as a Word file, through pandoc (extra ``docx``)."""

from __future__ import annotations

from pathlib import Path

from apastats.errors import MissingExtraError
from apastats.folders import replacing

__all__ = ["write_docx"]


def write_docx(markdown: str, folder: Path, target: Path) -> None:
    """Turn Markdown, whose figures lie in ``folder``, into ``target``.

    Raises
    ------
    MissingExtraError
        If pypandoc-binary is not installed.
    """
    try:
        import pypandoc
    except ImportError as error:
        raise MissingExtraError("pypandoc-binary", "docx") from error
    with replacing(target) as (part,):
        pypandoc.convert_text(
            markdown,
            "docx",
            format="gfm-autolink_bare_uris",
            outputfile=str(part),
            extra_args=[f"--resource-path={folder}", "--sandbox=false"],
        )
