"""Interfaces between the roles and the engines, and between two roles in one process.

Each engine interface has one suite of contract tests (`tests/contracts/`) that every engine passes
unchanged. `roles/` is the only place that chooses an engine.
"""
