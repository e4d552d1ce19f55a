"""The error that ends a command."""

from __future__ import annotations


class Failure(Exception):
    """
    Why a command ends with exit status 1: what failed, why, and what to do.
    @param changed: whether the command changed something before it failed
    """

    def __init__(self, message: str, *, changed: bool = False) -> None:
        super().__init__(message)
        self.changed = changed
