"""Where examples come from: strict readers of files and the offline starter data."""
