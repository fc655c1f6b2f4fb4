"""Every task that the project knows. Adding a task is adding an entry to one of these files."""

from collections.abc import Mapping
from types import MappingProxyType

from lowres_stilts.tasks.catalog.english import ENGLISH_TASKS
from lowres_stilts.tasks.catalog.low_resource import LOW_RESOURCE
from lowres_stilts.tasks.catalog.starter import STARTER
from lowres_stilts.tasks.catalog.xtreme import XTREME
from lowres_stilts.tasks.catalog.xtreme_r import XTREME_R
from lowres_stilts.tasks.task import Task

REGISTRY: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (*XTREME, *XTREME_R, *LOW_RESOURCE, *ENGLISH_TASKS, *STARTER)}
)
