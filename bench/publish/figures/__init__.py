"""Figures from a store; nothing is restored or measured here."""

from .write import write_figure_list, write_figures

__all__ = ["write_figure_list", "write_figures"]
