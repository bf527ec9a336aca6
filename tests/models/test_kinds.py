"""The table of kinds: what files say for ever, and names that lead somewhere."""

from __future__ import annotations

import pytest

from vqc.errors import CheckpointError, ContainerError
from vqc.models.kinds import KINDS, Kind, build_model, kind_numbered, load, prior_kind_named, prior_kinds, register


def test_numbers_are_what_files_in_the_world_say() -> None:
    numbers = {"image-vqvae": 1, "audio-vqvae": 2, "photo": 3, "speech": 4, "image-maps": 5, "phones": 6}
    numbers["voice"] = 8
    assert {kind.name: kind.wire_id for kind in KINDS.values()} == numbers


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_classes_are_of_the_kind_that_names_them(kind: Kind) -> None:
    assert (kind.model_class.kind, kind.model_class.media) == (kind.name, kind.media)
    assert load(kind.prior.prior).kind == kind.prior.name


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(CheckpointError, match="'hologram'"):
        build_model("hologram", {})
    with pytest.raises(CheckpointError, match="'oracle'"):
        prior_kind_named("oracle")
    with pytest.raises(ContainerError, match="codec 99, which this version of vqc does not know"):
        kind_numbered(99)
    assert prior_kinds().keys() == {"photo", "speech", "pixelcnn", "wavenet"}


@pytest.mark.parametrize("change", [{"name": "photo"}, {"wire_id": 3}])
def test_a_name_and_a_number_are_of_one_kind_alone(change: dict[str, object]) -> None:
    kind = KINDS["photo"]._replace(**{"name": "toy", "wire_id": 9} | change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="already"):
        register(kind)
    assert kind not in KINDS.values()
