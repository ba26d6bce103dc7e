"""Batched physics behind one interface."""
