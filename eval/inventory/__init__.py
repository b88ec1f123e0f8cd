"""What there is to work with: what the package ships, what can be fetched, what is installed."""
