"""Where vocals are removed in a stage: once for each recording, by one network for each Python worker."""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from itertools import tee
from typing import TYPE_CHECKING

from amper_spark.audio import STEREO
from amper_spark.separation.accompaniment import (
    Remove,
    analysed_accompaniment,
    provider_name,
    rounded,
    vocal_removal,
)
from amper_spark.spark.handing_out import handed_out
from amper_spark.spark.stems import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from amper_spark.audio import Samples
    from amper_spark.config import Limits, Separation
    from amper_spark.decoder import Decoder
    from amper_spark.spark.stems import StemStore


@dataclass(frozen=True)
class Vocals:
    """How the vocals of recordings are removed; can be sent to other processes.

    Parameters
    ----------
    settings : amper_spark.config.Separation
    limits : amper_spark.config.Limits
    model : str or None
        Name of the graph among the files that Spark hands to its executors, or its path.
    stems : StemStore or None
        Where accompaniments are looked for before vocals are removed.
    keep : bool
        Whether new ones are put there, too.
    """

    settings: Separation
    limits: Limits
    model: str | None
    stems: StemStore | None = None
    keep: bool = False

    @property
    def provider(self) -> str:
        """What computes the masks."""
        return provider_name(self.settings)

    def removed(self, path: Path, *, decoder: Decoder, name: str | None) -> Iterator[Samples]:
        """Decode a recording without its vocals.

        Parameters
        ----------
        path : Path
        decoder : Decoder
        name : str or None
            Of its stem; without one there is none.

        Yields
        ------
        np.ndarray [shape=(sample,)], float32
            Mono at 22,050 Hz.

        Raises
        ------
        BadRecordError, OSError
            See `amper_spark.decoder.Decoder.stream`; ``silent`` also where there is nothing but vocals.
        AmperSparkError
            The network cannot be loaded.
        """
        heard = partial(
            analysed_accompaniment,
            limits=self.limits,
            attenuation_limit_db=self.settings.attenuation_limit_db,
        )
        recording = decoder.stream(path, layout=STEREO)
        with self._stem(name) as stem:
            if stem is not None:
                yield from heard(read_stem(stem), recording=recording)
                deque(recording, maxlen=0)  # it counts only if it is accepted to its end
                return
        behind: Iterable[Samples] = ()
        if self.settings.engine == "official":  # which takes all of it before it gives anything
            behind = decoder.stream(path, layout=STEREO)
        elif self.settings.attenuation_limit_db is not None:
            recording, behind = tee(recording)
        accompaniment = rounded(_worker_removal(self.settings, self.model)(recording))
        if self.stems is not None and self.keep and name is not None:
            accompaniment = self.stems.kept(name, accompaniment)
        yield from heard(accompaniment, recording=behind)

    def _stem(self, name: str | None) -> AbstractContextManager[Path | None]:
        return nullcontext() if self.stems is None or name is None else self.stems.found(name)


@cache
def _worker_removal(settings: Separation, model: str | None) -> Remove:
    # One network for the life of the worker: to load it takes as long as to use it on a few seconds of audio.
    if model is None:
        return vocal_removal(settings, model=None)
    return vocal_removal(settings, model=handed_out(model))
