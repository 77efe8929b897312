"""Training: stages of ASASR, ablation studies and referees, from the command line."""
