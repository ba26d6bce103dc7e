"""Environments: tasks run over a batched simulator, and wrappers."""
