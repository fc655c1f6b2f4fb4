"""Inputs and outputs of a bundle's graphs."""

IDS, MASK, INDEX = "input_ids", "attention_mask", "adapter_index"
HIDDEN, SEQUENCE, TOKEN = "last_hidden_state", "sequence_scores", "token_scores"


def states_of(layer: int, layers: int) -> str:
    """The output that holds the hidden states of a layer of an encoder with so many."""
    return HIDDEN if layer == layers else f"hidden_state_{layer}"
