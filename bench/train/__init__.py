"""Training of the stages of ASASR, of ablation studies, of planned studies and of referee networks."""
