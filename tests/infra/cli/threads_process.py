"""The console script, which tells at its end what threads it had.

Run as ``python -m tests.infra.cli.threads_process COMMAND ...``: what ``tagger COMMAND ...`` does,
then one line of JSON on its standard output.
"""

from __future__ import annotations

import contextlib
import gc
import json
import threading
from pathlib import Path

from infra.cli import main


def _threads() -> dict[str, object]:
    """What this process's libraries were set to, and the threads that are not Python's."""
    # Only now: what these import must not be there before the command is.
    import cv2
    import onnxruntime as ort
    from threadpoolctl import threadpool_info

    pools = {Path(one["filepath"]).name: one["num_threads"] for one in threadpool_info()}
    sessions = [
        one.get_session_options()
        for one in gc.get_objects()
        if isinstance(one, ort.InferenceSession)
    ]
    return {
        "pools": {**pools, "opencv": cv2.getNumThreads()},
        "foreign": len(list(Path("/proc/self/task").iterdir())) - threading.active_count(),
        "onnx_threads": [one.intra_op_num_threads for one in sessions],
        "onnx_spins": [
            one.get_session_config_entry("session.intra_op.allow_spinning") for one in sessions
        ],
    }


if __name__ == "__main__":
    with contextlib.suppress(SystemExit):
        main()
    print()
    print(json.dumps(_threads()), flush=True)
