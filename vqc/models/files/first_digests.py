"""Bundled models whose files changed after `.vqc` files had named them, while all that restores such a file stayed.

Their encoders were put into eight bits, and probabilities that only the search of codes reads into half precision. A
model is named by a digest of its file's content; these keep the name that they had.
"""

from collections.abc import Mapping
from types import MappingProxyType

# digest of the content: the digest that files name it by
FIRST_DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        # speech
        "1596bc9dc6ec8bbf825b2c5021a201211790a9e5851150f7e2c9ea01e2d159b9": (
            "33e49ec4d444a1934c00205165ffa00da773f9ecaa39704938b33c647dd52c98"
        ),
        # librispeech
        "4f6651968a008c80ac2d5ee997d1bb0137bbd4f92f20a7b1b3d2e1c08c53d50a": (
            "7705ec09e7f925b5b762a8a770bd492ce4427ab75792bd5ce523464cad84f0cf"
        ),
        # cifar10
        "b7e362ce089f7b54708cdfe7e09f90ebd4ffb6c9de2abe41d329e09c7ab150e8": (
            "df2169b48689039075ccf0f6f42aa8d023b8cfaccfc3b4b9140cb1ba7954e6a4"
        ),
        # cifar10-maps
        "5b2614221d54ddbd9e914c2b5196a64f3dadfc601af45e86d52aef60bbc95362": (
            "924716ecd02adaf3232cffac5ccb7109333fdca307e206f4642d252510c43884"
        ),
    }
)
