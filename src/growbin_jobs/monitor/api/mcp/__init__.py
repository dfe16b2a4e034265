"""The Model Context Protocol: what ``/api/v2`` says, for programs that work with a language model. It reads only.

======================  ============================================================================
``messages.py``         JSON-RPC 2.0: what may be sent, and errors
``tools.py``            a tool for each GET of ``/api/v2`` that answers JSON, from its OpenAPI
``asking.py``           asks the application itself, as who asked: the same permissions, redaction, audit
``answering.py``        the protocol's methods
``routes.py``           the transport by HTTP; the one by lines of text is ``monitor/stdio.py``
======================  ============================================================================
"""

from growbin_jobs.monitor.api.mcp.routes import router

__all__ = ["router"]
