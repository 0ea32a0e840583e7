"""Groundswell: a self-hosted server for live comments and reactions on broadcasts."""

__version__ = "0.1.0"
