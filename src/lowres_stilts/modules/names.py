"""What modules are called inside of PEFT."""


def peft_name(module: str) -> str:
    """The name of a module with a prefix that no layer has.

    PEFT tells modules apart by looking for their names anywhere in the names of weights, and leaves a layer that
    is called like one of them out of the others' files; XLM-R has layers called "intermediate".
    """
    return f"stilts_{module}"
