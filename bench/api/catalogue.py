"""List the ids of metrics and methods."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ...methods.errors import MethodError
from ...methods.registry import REGISTRY
from ..metrics.metric import MetricError
from ..metrics.registry import get_metric
from ..metrics.shipped import shipped_metrics
from ..metrics.third_party import installed_metrics


def list_metrics(pattern: str = "*", *, ready: bool = False) -> list[str]:
    """Ids of metrics of images, those of installed packages included.

    >>> from asasr_bench import list_metrics
    >>> list_metrics("psnr*")
    ['psnr_rgb', 'psnr_y']

    Args:
        pattern: with ``*`` and ``?``.
        ready: only those that can be measured on this machine: their weights and libraries are here.
    """
    ids = sorted(id for id in (*shipped_metrics(), *installed_metrics()) if fnmatchcase(id, pattern))
    return [id for id in ids if not ready or _metric_is_ready(id)]


def list_methods(pattern: str = "*", *, ready: bool = False) -> list[str]:
    """Ids of methods, those of installed packages included.

    >>> from asasr_bench import list_methods
    >>> list_methods("bi*", ready=True)
    ['bicubic', 'bilinear']

    Args:
        pattern: with ``*`` and ``?``.
        ready: only those that can be loaded on this machine.
    """
    ids = sorted(id for id in REGISTRY.names() if fnmatchcase(id, pattern))
    return [id for id in ids if not ready or _method_is_ready(id)]


def _metric_is_ready(id: str) -> bool:
    try:
        return not get_metric(id).missing()
    except MetricError:
        return False


def _method_is_ready(id: str) -> bool:
    try:
        return not REGISTRY.get(id).missing
    except MethodError:
        return False
