"""The release before this one and this one, with real processes of two checkouts."""
