"""`python -m fleetfoot_isaaclab.assets FOLDER`: assets for Isaac Lab where no asset server is reached."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    """Writes the folder, and says how Isaac Lab is pointed to it."""
    parser = argparse.ArgumentParser(prog="python -m fleetfoot_isaaclab.assets", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write them; made if it is not there")
    folder: Path = parser.parse_args().folder
    if find_spec("pxr") is None:
        parser.error("this Python has no USD (package pxr): use that of the Isaac Lab installation")
    from fleetfoot_isaaclab.assets.root import write_asset_root

    write_asset_root(folder)
    sys.stdout.write(f"export ISAACSIM_ASSET_ROOT={folder.resolve()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
