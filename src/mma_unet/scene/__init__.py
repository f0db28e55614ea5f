"""A night street as both cameras see it, drawn from a seed: for demos, tests and pictures.

The infrared camera sees people through darkness and steam; the visible one sees brick, asphalt,
lamps and signs. Nothing is taken from a photograph.
"""

from mma_unet.scene.render import Scene, render_scene, render_sequence

__all__ = ["Scene", "render_scene", "render_sequence"]
