"""Every task that is known: those of these files, and those that plug-ins add."""

from lowres_stilts.plugins import Registry
from lowres_stilts.tasks.catalog.english import ENGLISH_TASKS
from lowres_stilts.tasks.catalog.low_resource import LOW_RESOURCE
from lowres_stilts.tasks.catalog.starter import STARTER
from lowres_stilts.tasks.catalog.xtreme import XTREME
from lowres_stilts.tasks.catalog.xtreme_r import XTREME_R
from lowres_stilts.tasks.task import Task

REGISTRY: Registry[Task] = Registry(
    "tasks",
    {task.name: task for task in (*XTREME, *XTREME_R, *LOW_RESOURCE, *ENGLISH_TASKS, *STARTER)},
    Task,
)
