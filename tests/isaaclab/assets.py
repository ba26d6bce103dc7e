"""Assets for Isaac Lab's tests with no asset server: a folder for the variable `ISAACSIM_ASSET_ROOT`.

Ours, and the cartpole and the ant of Newton's examples, found where `newton` is installed. Nothing is downloaded.

    python tests/isaaclab/assets.py FOLDER
"""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pxr import Sdf

from fleetfoot_isaaclab.assets.root import write_asset_root

CARTPOLE = "Isaac/IsaacLab/Robots/Classic/Cartpole/cartpole.usd"
CART_DOUBLE_PENDULUM = "Isaac/IsaacLab/Robots/Classic/CartDoublePendulum/cart_double_pendulum.usd"
ANT = "Isaac/Robots/IsaacSim/Ant/ant_instanceable.usd"


def build_asset_root(folder: Path) -> Path:
    """Writes all assets below the folder, laid out as Isaac Lab's asset server is, and returns the folder."""
    write_asset_root(folder)
    # The name of the default prim differs from the prim's by a capital.
    copy_example("cartpole_single_pendulum.usda", folder / CARTPOLE, default_prim="cartpole")
    joints = {"railCartJoint": "slider_to_cart", "cartPoleJoint": "cart_to_pole", "polePoleJoint": "pole_to_pendulum"}
    copy_example("cartpole.usda", folder / CART_DOUBLE_PENDULUM, default_prim="cartPole", renamed=joints)
    copy_example("ant.usda", folder / ANT, default_prim="ant")
    return folder


def copy_example(
    name: str, path: Path, *, default_prim: str, renamed: Mapping[str, str] = MappingProxyType({})
) -> None:
    spec = importlib.util.find_spec("newton")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "examples" / "assets" / name
    layer = Sdf.Layer.OpenAsAnonymous(str(source))
    layer.defaultPrim = default_prim
    for old, new in renamed.items():
        layer.GetPrimAtPath(f"/{default_prim}/{old}").name = new
    path.parent.mkdir(parents=True, exist_ok=True)
    layer.Export(str(path))


if __name__ == "__main__":
    print(build_asset_root(Path(sys.argv[1])))
