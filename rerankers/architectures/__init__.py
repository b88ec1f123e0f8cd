"""What a `config.json` states, read by architecture; families name the readers of the model types that they run."""
