"""Assets for Isaac Lab made from our own descriptions, for a machine that reaches no asset server."""
