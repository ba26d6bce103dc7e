"""Contracts shared by learning and simulation, and what both need: configuration, seeding, threads."""
