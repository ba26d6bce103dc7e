"""Velocity tracking for legged robots: walk where it is told."""
