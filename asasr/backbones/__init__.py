"""Networks that predict the velocity of an image's latents, behind one interface."""
