"""The error that ends a command."""

from __future__ import annotations


class Failure(Exception):
    """Why a command ends with exit status 1: what failed, why, and what to do."""
