"""Show a trained policy.

play.py --task Anymal-Flat [--checkpoint latest|best|PATH] [--video]
"""

import sys
from pathlib import Path

# Works from a bare interpreter too, as when Isaac Lab's own launcher runs this file.
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("source", "extension")]

from fleetfoot.cli.main import script

if __name__ == "__main__":
    sys.exit(script("play"))
