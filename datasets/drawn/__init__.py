"""Drawn scenes with exact ground truth: words (`text`) and toys (`objects`), made from a seed and nothing else."""
