"""Images and masks, from anywhere, and what is done to them before the model sees them."""

from fmreport.probes.collect import collect
from fmreport.probes.listing import SOURCES, table_facts
from fmreport.probes.photographs import PHOTOGRAPHS
from fmreport.probes.preprocess import Preprocess, resolve
from fmreport.probes.probeset import ProbeSet, displayed
from fmreport.probes.recipes import APPLICATIONS, RECIPES, Recipe, recipe, recipe_for_application
from fmreport.probes.thumbnail import mask_thumbnail, thumbnail

__all__ = [
    "APPLICATIONS",
    "PHOTOGRAPHS",
    "RECIPES",
    "SOURCES",
    "Preprocess",
    "ProbeSet",
    "Recipe",
    "collect",
    "displayed",
    "mask_thumbnail",
    "recipe",
    "recipe_for_application",
    "resolve",
    "table_facts",
    "thumbnail",
]
