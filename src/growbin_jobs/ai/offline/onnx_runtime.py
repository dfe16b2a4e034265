"""Runs the network on onnxruntime: about four times as fast as numpy, and without the GIL."""

import os

import numpy as np

# Official builds (1.31.1) send events to Microsoft and write a device id below the home folder. The variable is read
# when the library is loaded, so it is set before the import (onnxruntime's Privacy.md, "Disabling Telemetry").
os.putenv("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # type: ignore[import-untyped]

from growbin_jobs.ai.offline.network import Array, Network
from growbin_jobs.ai.offline.onnx_model import build

# For a process in which somebody else has loaded it before.
onnxruntime.disable_telemetry_events()


class OnnxRuntime:
    """Runs the network. Calls from several threads at once are fine; each computes on its own thread only.

    Parameters:
      network: The folded network. The model is built and kept in memory: no file that another user could replace.
    """

    name = "onnxruntime"

    def __init__(self, network: Network) -> None:
        options = onnxruntime.SessionOptions()
        # The AI worker's threads are the parallelism; a pool of onnxruntime's own would not survive a fork either.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(build(network), options, providers=["CPUExecutionProvider"])

    def run(self, pixels: Array) -> tuple[Array, Array]:
        """Return the features ``(1280,)`` and ImageNet's logits ``(1000,)`` of one picture ``(224, 224, 3)``."""
        batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        features, logits = self._session.run(["features", "logits"], {"pixels": batch})
        return np.asarray(features)[0], np.asarray(logits)[0]
