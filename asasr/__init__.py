"""ASASR: adversarial Sobolev alignment for super-resolution (flow matching and DPO), training and sampling."""
