"""Orders are priced and confirmed by e-mail."""
