"""The Isaac Lab side of fleetfoot: the only code here that imports `isaaclab`. `fleetfoot` never imports it."""
