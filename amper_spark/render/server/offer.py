"""What a server offers: everything that timelines can name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.bands import load_bands
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.hits import load_hits
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.server.entity_index import EntityIndex

if TYPE_CHECKING:
    from amper_spark.descriptors.bands import Bands
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.descriptors.hits import Hits
    from amper_spark.descriptors.instruments import Instruments


@dataclass(frozen=True)
class Offer:
    """Everything that timelines can name.

    Parameters
    ----------
    catalogue : Catalogue
    instruments : Instruments
    bands : Bands
    hits : Hits
    """

    catalogue: Catalogue
    instruments: Instruments
    bands: Bands
    hits: Hits

    @cached_property
    def index(self) -> EntityIndex:
        """All of it as entities, made once."""
        return EntityIndex(self.catalogue, self.instruments, self.bands, self.hits)


def load_offer(catalogue: str | None = None) -> Offer:
    """Load it.

    Parameters
    ----------
    catalogue : str, optional
        A folder that ``descriptors import`` has made; by default the package's own catalogue.

    Returns
    -------
    Offer
    """
    descriptors = load_catalogue(Path(catalogue)) if catalogue else load_catalogue()
    return Offer(descriptors, load_instruments(), load_bands(), load_hits())
