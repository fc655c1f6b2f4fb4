"""Grids of runs: what is in them, their store, their statistics, their report."""
