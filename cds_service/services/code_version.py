"""Which code a model was made by."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cds_service

_GIT_SECONDS = 10
_ROOT = Path(cds_service.__file__).resolve().parents[1]


def code_version(root: Path = _ROOT) -> str:
    """The commit of the checkout the program runs from, else the version of the package.

    A commit with changes that were not committed ends in `+changes`: it does not tell the code.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        try:
            return f"cds-service {version('cds-service')}"
        except PackageNotFoundError:
            return "unknown"
    return commit + ("+changes" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *arguments: str) -> str | None:
    """What git says, or `None` where there is no checkout or no git."""
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603  # fixed words, no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607  # found on the path, as any tool
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
