"""Downstream tasks: engines that read, detect and segment, and what their findings say about a restored image."""
