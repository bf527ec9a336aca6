"""The model of an archive."""

from __future__ import annotations

from typing import Any

from vqc.codec.codec import Codec
from vqc.codec.open import Model, codec_for_file, open_codec
from vqc.codec.validation import check_header
from vqc.format.archive import ArchiveHeader
from vqc.format.shapes import ImageShape


def codec_of_archive(header: ArchiveHeader, device: str, model: Model = None) -> Codec[Any, Any]:
    """The codec of an archive; `model` is looked at first, for it need not be among those at hand.

    Raises:
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
        ContainerError: the archive asks for what its model does not have.
    """
    of_any_item = header.of_item(ImageShape(width=1, height=1))  # whose shape nobody looks at
    if model is None:
        return codec_for_file(of_any_item, device)
    codec = open_codec("image" if header.codec % 2 else "audio", model, device)
    check_header(of_any_item, codec.model.kind, codec.model.qualities, codec.digest, codec.name)
    return codec
