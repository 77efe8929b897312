"""Distances between the features of restored images and of HR images, as sets."""
