"""A simulated crowd: ordinary clients that comment, answer each other, react and cheer."""

from groundswell.demo.crowd import Crowd, run

__all__ = ["Crowd", "run"]
