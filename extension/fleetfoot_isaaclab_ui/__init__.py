"""A window of Isaac Sim. `extension` is what Kit imports; the rest needs no Kit."""
