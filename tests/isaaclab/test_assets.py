"""The folder in place of the asset server has what Isaac Lab looks for in it by name."""

from __future__ import annotations

from pathlib import Path

from pxr import Usd

from fleetfoot_isaaclab.assets.root import write_asset_root


def test_the_ground_can_be_scaled_and_tinted(tmp_path: Path) -> None:
    """Isaac Lab does so by the names of the grid on its server."""
    write_asset_root(tmp_path)
    (path,) = tmp_path.rglob("default_ground_plane.usda")
    stage = Usd.Stage.Open(str(path))
    ground = stage.GetDefaultPrim().GetPath()
    assert stage.GetPrimAtPath(f"{ground}/Environment").HasAttribute("xformOp:scale")
    assert stage.GetPrimAtPath(f"{ground}/Looks/theGrid/Shader").HasAttribute("inputs:diffuse_tint")
