"""What a task is: its examples, how they become token ids, its labels, its metric."""
