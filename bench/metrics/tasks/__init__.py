"""Downstream tasks: metrics from engines that read text, detect objects or segment restored images."""
