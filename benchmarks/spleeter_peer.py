"""Spleeter's official package on request, by an interpreter that has it: a line in, a line out.

``.venv-spleeter/bin/python benchmarks/spleeter_peer.py``. The first line out names the versions. Then each
line in, ``SOURCE<tab>TO``, names a file of samples, (sample, 2), float32 at 44,100 Hz, and one for its
accompaniment, or nothing; the answer is the most memory that the process has held so far, in MB.
"""

import os
import resource
import sys
from importlib.metadata import version

import numpy as np
import tensorflow
from spleeter.separator import Separator


def main() -> None:
    """Answer until there are no more requests."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as one thread, however many TensorFlow starts
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries say is no answer
    tensorflow.get_logger().setLevel("ERROR")
    separator = Separator("spleeter:2stems", multiprocess=False)
    print(f"{version('spleeter')} with TensorFlow {version('tensorflow-cpu')}", file=answers, flush=True)
    for request in sys.stdin:
        source, to = request.rstrip("\n").split("\t")
        stems = separator.separate(np.load(source))
        if to:
            np.save(to, np.ascontiguousarray(stems["accompaniment"], dtype=np.float32))
        most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(f"{most_mb:.0f}", file=answers, flush=True)


if __name__ == "__main__":
    main()
