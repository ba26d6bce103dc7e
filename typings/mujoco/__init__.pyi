# mujoco's names come from C extension modules without types: everything is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
