"""Tags for a store's templates. Used by templates only; knows Oscar through the app's `oscar` room."""
