"""Files in onnxruntime's adapter format, written field by field: also those that onnxruntime would not write."""

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers

FLOAT16 = 10


@dataclass(frozen=True)
class Parameter:
    """A parameter of an adapter; what is None is left out."""

    name: str | None
    dims: Sequence[int] | None
    raw: bytes | None
    kind: int = FLOAT16


def written(parameters: Sequence[Parameter], version: int = 1) -> bytes:
    """The file's bytes; the schema is onnxruntime's adapter_schema.fbs."""
    builder = flatbuffers.Builder(1024)
    places = [_parameter(builder, one) for one in parameters]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    vector = builder.EndVector()
    builder.StartObject(4)
    for slot, value in enumerate((version, 1, 1)):
        builder.PrependInt32Slot(slot, value, 0)
    builder.PrependUOffsetTRelativeSlot(3, vector, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TORT")
    return bytes(builder.Output())


def _parameter(builder: flatbuffers.Builder, one: Parameter) -> int:
    name = None if one.name is None else builder.CreateString(one.name)
    dims = None
    if one.dims is not None:
        builder.StartVector(8, len(one.dims), 8)
        for size in reversed(one.dims):
            builder.PrependInt64(size)
        dims = builder.EndVector()
    raw = None if one.raw is None else builder.CreateByteVector(one.raw)
    builder.StartObject(4)
    for slot, place in ((0, name), (1, dims), (3, raw)):
        if place is not None:
            builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.PrependInt32Slot(2, one.kind, 0)
    return builder.EndObject()
