"""Robots as data, from which each simulator's format is made."""
