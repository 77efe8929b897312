"""Ablation studies: variations (arms) of a training are trained once each, measured together and compared."""
