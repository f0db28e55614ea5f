"""Training: stage I (reconstruction) and stage II (fusion) with Lightning, from one recipe."""

from mma_unet.training.recipe import STAGES, Recipe
from mma_unet.training.recipe_file import load_recipe
from mma_unet.training.run import train

__all__ = ["STAGES", "Recipe", "load_recipe", "train"]
