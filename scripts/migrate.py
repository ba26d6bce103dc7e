"""Turn a checkpoint of rsl_rl into one of fleetfoot, or the other way round.

migrate.py FILE --task Anymal-Flat [--train_cfg agent.yaml]
"""

import sys
from pathlib import Path

# Works from a bare interpreter too, as when Isaac Lab's own launcher runs this file.
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("source", "extension")]

from fleetfoot.cli.main import script

if __name__ == "__main__":
    sys.exit(script("migrate"))
