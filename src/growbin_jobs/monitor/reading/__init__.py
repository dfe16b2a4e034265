"""What pages and ``/api/v2`` read alike: the query of a request, and what the reader may see of the answer."""
