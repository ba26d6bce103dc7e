"""Tasks offered to Isaac Lab, which imports this module through the entry point `isaaclab.tasks`. None yet."""
