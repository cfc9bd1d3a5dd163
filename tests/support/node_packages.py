"""Programs from npm that tests run: installed once, at the versions of `node/package.json`."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from tests.support.require import unavailable

SOURCE = Path(__file__).parent / "node"


@cache
def node_folder() -> Path:
    """A folder with our own programs for node and the packages they need.

    It is kept between runs, beside other temporary files. Skips where there is no node or no way to
    install packages.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            unavailable("node", f"{program} is not installed")
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
    version = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"cds-node-{os.getuid()}-{version}"
    if folder.is_dir():
        return folder
    # Under a name of its own until it is whole: another run may do the same.
    making = Path(tempfile.mkdtemp(prefix="cds-node-making-"))
    try:
        for path in files:
            shutil.copy(path, making)
        done = subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=making,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            unavailable("node", f"npm could not install the packages: {done.stderr[-300:]}")
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder
