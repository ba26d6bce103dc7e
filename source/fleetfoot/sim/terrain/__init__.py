"""Rough ground: tiles of rising difficulty in one height field, and its height anywhere."""
