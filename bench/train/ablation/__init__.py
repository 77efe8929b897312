"""Ablation studies: arms of one training, each trained once, measured together and compared in pairs."""
