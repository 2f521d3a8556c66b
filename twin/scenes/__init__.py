"""Scenes: what stands where in a plant, the models it is drawn with, and who may look at it."""
