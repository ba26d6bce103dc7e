"""The tasks that come with fleetfoot, and the registry they and others are found in."""
