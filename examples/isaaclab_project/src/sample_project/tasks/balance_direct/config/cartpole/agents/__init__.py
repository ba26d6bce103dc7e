"""Agent configurations for the task."""
