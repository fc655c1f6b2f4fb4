"""One phase of training: batches, loop, checkpoints."""
