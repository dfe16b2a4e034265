"""The AI group: calls to models, in processes with threads. Entry point of ``dramatiq growbin_jobs.ai``.

Importing it declares the actors and loads nothing that only a worker needs (see :mod:`growbin_jobs.ai.bootstrap`).
"""

from growbin_jobs.ai.actors import analyze_image, generate_response
from growbin_jobs.ai.platform_actors import check_all_models, check_model_health

__all__ = ["analyze_image", "check_all_models", "check_model_health", "generate_response"]
