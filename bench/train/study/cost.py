"""The cost of a planned study, which is printed before the study starts."""

from __future__ import annotations

from .models import ablation_of
from .points import points_of, seeds_of, settings_of
from .spec import PRIOR, Study


def cost_line(study: Study) -> str:
    """One line: the number of trainings and their steps, and evaluations of the network for the restorations."""
    from ..ablation.arms import arm_config

    settings = settings_of(study)
    trained = [setting for setting in settings if setting.changes is not None and not setting.weight]
    count = sum(len(seeds_of(study, setting)) for setting in trained)
    config = arm_config(ablation_of(study), trained[0].training, 0) if trained else None
    preference = config.preference if config is not None else None
    steps = 0 if preference is None else preference.steps
    batch = 0 if preference is None else preference.batch
    chosen = sum(
        point.evaluations * len(seeds_of(study, setting)) for setting in settings for point in points_of(study, setting)
    )
    prior = sum(point.evaluations for point in points_of(study, settings[0]))
    assert settings[0].family == PRIOR
    return (
        f"{len(study.teachers)} adversaries and {count} preference trainings of {steps} steps of {batch} crops; a photo"
        f" of {', '.join(study.measurement.choice)} is restored with {chosen:,} evaluations of the network, one of"
        f" {', '.join(study.measurement.report)} with {prior:,} for the prior alone"
    )
