"""A transfer mode: the target's module is trained alone first, and then on over the intermediate one."""

from dataclasses import replace

from lowres_stilts.pipeline.modes import Mode
from lowres_stilts.pipeline.transfer import TargetWork, Trained

FIRST = "2-target-alone"


def warm(work: TargetWork) -> Trained:
    alone = work.phase(below=work.ground)
    epochs = int(work.recipe.target.options.get("epochs", alone.train.epochs))
    work.run(replace(alone, name=FIRST, train=alone.train.model_copy(update={"epochs": epochs})))
    start = work.bench.folder.phase(FIRST) / "module"
    return work.run(work.phase(below=(*work.ground, *work.below), start_from=start))


WARM = Mode(warm)
