"""Gymnasium's environments as tasks, and tasks as Gymnasium's environments."""
