"""Training of the small GAN baseline."""
