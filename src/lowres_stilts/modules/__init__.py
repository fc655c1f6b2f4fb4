"""Stackable modules over the frozen encoder, and the heads that use them."""
