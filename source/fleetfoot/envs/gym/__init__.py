"""Gymnasium, both ways: its vector environments as ours, and ours as its."""
