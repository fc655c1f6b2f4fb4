"""Predictions, official metrics with intervals, the transfer table."""
