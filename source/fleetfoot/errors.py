"""What can go wrong, as one tree.

    FleetfootError
    ├── ConfigError      (ValueError)  a setting that cannot work: an override, a config field, a flag
    ├── ContractError    (ValueError)  an environment, or what is handed to it, breaks the contract of `core.vec_env`
    ├── CheckpointError                a checkpoint that is missing, truncated, foreign, or of another task
    ├── ExportError                    an exported policy that does not compute what the trained one does
    ├── NonFiniteError                 NaN or infinity in the training, with the first place it was seen
    ├── OutputError                    a run folder that cannot be written
    └── RankError                      another process of a training that has failed, or does not answer

Every message has four parts: where, what was got, what was expected, what to do.
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ContractError",
    "ExportError",
    "FleetfootError",
    "NonFiniteError",
    "OutputError",
    "RankError",
]


class FleetfootError(Exception):
    """An error a user can act on.

    Args:
        where: The dotted config path, flag, file or contract clause that is at fault.
        got: What was found there.
        expected: What would have been accepted.
        fix: What to do about it, as an imperative.
    """

    def __init__(self, where: str, *, got: object, expected: str, fix: str = "") -> None:
        self.where, self.got, self.expected, self.fix = where, got, expected, fix
        message = f"{where}: got {got}; expected {expected}."
        super().__init__(f"{message} {fix}".rstrip())


class ConfigError(FleetfootError, ValueError):
    """A setting that cannot work, found before anything is computed."""


class ContractError(FleetfootError, ValueError):
    """An environment, or what is handed to it, breaks a clause of the contract."""


class CheckpointError(FleetfootError):
    """A checkpoint that is missing, truncated, foreign, or made for another task."""


class ExportError(FleetfootError):
    """An exported policy that does not compute what the trained one does."""


class NonFiniteError(FleetfootError):
    """NaN or infinity in the training, with the first place it was seen."""


class OutputError(FleetfootError):
    """A run folder that cannot be written."""


class RankError(FleetfootError):
    """Another process of a training has failed, or does not answer."""
