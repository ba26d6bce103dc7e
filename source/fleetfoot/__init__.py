"""fleetfoot: train robot policies over thousands of simulated robots, and carry them onto the robot."""

__version__ = "0.1.0"
