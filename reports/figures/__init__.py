"""Figures for papers from frames and arrays alone: one style, colours that colour-blind readers tell apart."""
