"""Assets for Isaac Lab's tests with no asset server: a folder for the variable `ISAACSIM_ASSET_ROOT`.

The cartpole and the ant are Newton's examples, found where `newton` is installed. Nothing is downloaded.

    python tests/isaaclab/assets.py FOLDER
"""

import importlib.util
import sys
from pathlib import Path

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, Vt

GROUND = "Isaac/IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
CARTPOLE = "Isaac/IsaacLab/Robots/Classic/Cartpole/cartpole.usd"
ANT = "Isaac/Robots/IsaacSim/Ant/ant_instanceable.usd"


def build_asset_root(folder: Path) -> Path:
    """Writes all assets below the folder, laid out as Isaac Lab's asset server is, and returns the folder."""
    _write_ground(folder / GROUND)
    # The name of the default prim differs from the prim's by a capital.
    _copy_example("cartpole_single_pendulum.usda", folder / CARTPOLE, default_prim="cartpole")
    _copy_example("ant.usda", folder / ANT, default_prim="ant")
    return folder


def _copy_example(name: str, path: Path, *, default_prim: str) -> None:
    spec = importlib.util.find_spec("newton")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "examples" / "assets" / name
    layer = Sdf.Layer.OpenAsAnonymous(str(source))
    layer.defaultPrim = default_prim
    path.parent.mkdir(parents=True, exist_ok=True)
    layer.Export(str(path))


def _write_ground(path: Path) -> None:
    """An endless plane to stand on, and a square of 100 m to look at, with the names that Isaac Lab scales it by."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/Ground").GetPrim())
    plane = UsdGeom.Plane.Define(stage, "/Ground/CollisionPlane")
    plane.CreateAxisAttr(UsdGeom.Tokens.z)
    plane.CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdPhysics.CollisionAPI.Apply(plane.GetPrim())
    UsdGeom.Xform.Define(stage, "/Ground/Environment").AddScaleOp().Set(Gf.Vec3f(1.0))
    mesh = UsdGeom.Mesh.Define(stage, "/Ground/Environment/Geometry")
    corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    mesh.CreatePointsAttr(Vt.Vec3fArray([Gf.Vec3f(50.0 * x, 50.0 * y, 0.0) for x, y in corners]))
    mesh.CreateFaceVertexCountsAttr([4])
    mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
    mesh.CreateDisplayColorAttr(Vt.Vec3fArray([Gf.Vec3f(0.5, 0.52, 0.55)]))
    uv = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    uv.Set(Vt.Vec2fArray([Gf.Vec2f(25.0 * x, 25.0 * y) for x, y in corners]))
    stage.GetRootLayer().Export(str(path))


if __name__ == "__main__":
    print(build_asset_root(Path(sys.argv[1])))
