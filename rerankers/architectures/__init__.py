"""What a `config.json` says, read by architecture; families name the readers of the model types that they run."""
