"""Files of texts to files of answers, from a bundle, a package or a run."""
