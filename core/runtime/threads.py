"""How many threads libraries may start in a process of ours: none beside the one that calls.

Work runs side by side here already: events in flight, decoding children, a device's thread. A
library that starts a thread a processor for each call only takes turns with them, and its threads
spin while they wait: beside two busy processes FAISS made ``results`` 3.7 times slower at four
times the cost. ONNX Runtime has threads of its own, whose sessions tell them to sleep.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}


def limit_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """To be called before any of these libraries is imported: they look once, at the start.

    What the operator has set stays. Child processes inherit all of it.
    """
    for name, value in ONE_THREAD.items():
        environment.setdefault(name, value)
