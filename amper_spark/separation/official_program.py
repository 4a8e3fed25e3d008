"""Spleeter's official package on one recording, by an interpreter that has it: TensorFlow cannot share ours.

``PYTHON official_program.py IN.npy OUT.npy MASK_EXTENSION``

IN holds (sample, 2), float32 at 44,100 Hz; OUT gets the accompaniment in that form. The package finds its
weights below ``MODEL_PATH``, or downloads them.
"""

import sys

import numpy as np


def main(source: str, to: str, mask_extension: str) -> None:
    """Separate."""
    from spleeter.separator import Separator

    separator = Separator("spleeter:2stems", multiprocess=False)
    separator._params["mask_extension"] = mask_extension
    stems = separator.separate(np.load(source))
    np.save(to, np.ascontiguousarray(stems["accompaniment"], dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
