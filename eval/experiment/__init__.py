"""What is to be run: the schema of an experiment and its YAML file."""
