"""Figures from a store; nothing is restored or measured here."""
