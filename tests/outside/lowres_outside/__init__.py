"""Plug-ins for lowres-stilts."""
