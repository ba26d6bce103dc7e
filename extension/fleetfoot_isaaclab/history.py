"""What an episode ended in, where observations have a history or are late.

Isaac Lab observes once more before it resets what has ended (`compute_final_obs`), but does not record that: terms with
a history, or with a delay, then show what they showed a step earlier, and nothing of the state that the episode ended
in. Here such a look records into copies of the histories: it shows the newest frame, and is forgotten.
"""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["observe_with_this_step"]


def observe_with_this_step(env: Any) -> None:
    """Let a manager-based environment see the state of now whenever it looks without recording; others stay.

    Args:
        env: Isaac Lab's environment. If no term of it remembers anything, nothing is changed.
    """
    manager = getattr(env, "observation_manager", None)
    if manager is None or not any(of_group for kept in _memories(manager) for of_group in kept.values()):
        return
    compute = manager.compute

    def observe(update_history: bool = False) -> Any:
        if update_history:
            return compute(update_history=True)
        kept = [dict(of_groups) for of_groups in _memories(manager)]
        for of_groups in _memories(manager):
            of_groups |= copy.deepcopy(of_groups)
        try:
            return compute(update_history=True)
        finally:
            for of_groups, before in zip(_memories(manager), kept, strict=True):
                of_groups |= before

    manager.compute = observe


def _memories(manager: Any) -> tuple[dict[str, dict[str, Any]], ...]:
    """Group to term to what is kept of it: frames that are observed again, and frames that are late."""
    return manager._group_obs_term_history_buffer, manager._group_obs_term_delay_buffer
