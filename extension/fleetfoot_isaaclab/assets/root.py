"""A folder of assets in place of Isaac Lab's asset server, with all that its tasks for ANYmal C and D load.

Isaac Lab takes every asset from the folder that the variable `ISAACSIM_ASSET_ROOT` names. What is written there are
stand-ins, made here: the robot is ANYmal C as `fleetfoot.robots` describes it, also where a task asks for D, which is
built alike and weighs about the same; its drives follow the formula of `Drive`, where Isaac Lab's are learned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade, Vt

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot_isaaclab.assets.drive_net import write_drive_net
from fleetfoot_isaaclab.assets.usd import write_usd

__all__ = ["write_asset_root"]

_LAB: Final = Path("Isaac/IsaacLab")
_GROUND: Final = _LAB / "Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
_ROBOTS: Final = (
    _LAB / "Robots/ANYbotics/ANYmal-C/anymal_c.usd",
    _LAB / "Robots/ANYbotics/ANYmal-D/anymal_d.usd",
)
_DRIVE_NET: Final = _LAB / "ActuatorNets/ANYbotics/anydrive_3_lstm_jit.pt"
_NOTE: Final = """\
Written by `python -m fleetfoot_isaaclab.assets`: stand-ins for files of Isaac Lab's asset server, with their names.

anymal_c.usd, anymal_d.usd: ANYmal C as fleetfoot describes it, in both files.
anydrive_3_lstm_jit.pt: a PD law, gains of that description; not the network that was trained on the real drive.
default_ground_plane.usda: a grey plane.
"""


def write_asset_root(folder: Path) -> None:
    """Writes the ground, the robots and their drive below the folder, laid out as the server is, and a note on them."""
    _write_ground(folder / _GROUND)
    for robot in _ROBOTS:
        write_usd(ANYMAL_C, folder / robot)
    write_drive_net(ANYMAL_C, folder / _DRIVE_NET)
    (folder / "README.txt").write_text(_NOTE, encoding="utf-8")


def _write_ground(path: Path) -> None:
    """An endless plane to stand on, and a square of 100 m to look at; Isaac Lab scales and tints it by these names."""
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
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray([4]))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray([0, 1, 2, 3]))
    mesh.CreateDisplayColorAttr(Vt.Vec3fArray([Gf.Vec3f(0.5, 0.52, 0.55)]))
    uv = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    uv.Set(Vt.Vec2fArray([Gf.Vec2f(25.0 * x, 25.0 * y) for x, y in corners]))
    shader = UsdShade.Shader.Define(stage, "/Ground/Looks/theGrid/Shader")
    shader.CreateInput("diffuse_tint", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(1.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    stage.GetRootLayer().Export(str(path))
