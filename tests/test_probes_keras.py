"""Each recipe does to pixels what the installed keras.applications does. The one test of probes that imports keras."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

from fmreport.probes import APPLICATIONS, RECIPES, Preprocess, recipe_for_application

applications = pytest.importorskip("keras").applications
CONSTRUCTORS = sorted(name for name, value in vars(applications).items() if inspect.isfunction(value))


@pytest.mark.parametrize("family", APPLICATIONS)
def test_a_recipe_is_what_its_family_does(family: str) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (6, 5, 3)).astype(np.float32)
    recipe = RECIPES[family]
    ours = Preprocess(
        (6, 5), range=recipe.range, colour=recipe.colour or "rgb", mean=recipe.mean, std=recipe.std
    ).apply(image)
    theirs = importlib.import_module(f"keras.applications.{family}").preprocess_input(image.copy())
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-4 if recipe.range[1] == 255 else 1e-6)


def test_every_application_has_a_recipe() -> None:
    assert sorted(model for models in APPLICATIONS.values() for model in models) == CONSTRUCTORS


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_an_applications_recipe_is_that_of_its_own_module(name: str) -> None:
    module = getattr(applications, name).__module__.rpartition(".")[2]
    assert recipe_for_application(name) == module
