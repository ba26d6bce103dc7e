"""The mjlab side of fleetfoot: the only code here that imports `mjlab`. `fleetfoot` never imports it."""
