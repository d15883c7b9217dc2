"""Batches x taps x measures to the tables, shard by shard; then the few maps that are shown."""

from fmreport.extract.choosing import choose
from fmreport.extract.extraction import Extraction, Stepped
from fmreport.extract.feeding import Feed, batches
from fmreport.extract.function import Inputs, image, measuring
from fmreport.extract.memory import ahead, batch_size, decoders, handed, portions
from fmreport.extract.merging import Kept, Rows, Tables
from fmreport.extract.shards import SIZE, Shard, count, mapped, split
from fmreport.extract.working import Advance, Arrays, Done, Engine, InProcess, Job, Made, Step, Task, in_order

__all__ = (
    "SIZE",
    "Advance",
    "Arrays",
    "Done",
    "Engine",
    "Extraction",
    "Feed",
    "InProcess",
    "Inputs",
    "Job",
    "Kept",
    "Made",
    "Rows",
    "Shard",
    "Step",
    "Stepped",
    "Tables",
    "Task",
    "ahead",
    "batch_size",
    "batches",
    "choose",
    "count",
    "decoders",
    "handed",
    "image",
    "in_order",
    "mapped",
    "measuring",
    "portions",
    "split",
)
