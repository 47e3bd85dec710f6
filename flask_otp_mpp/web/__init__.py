"""The Flask layer: the only package that imports Flask."""
