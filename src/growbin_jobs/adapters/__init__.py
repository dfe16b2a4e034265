"""One outside thing each: object store, pictures, model server."""
