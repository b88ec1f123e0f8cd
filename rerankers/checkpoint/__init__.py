"""Files of a model folder: found, checked, hashed and read. Imports no torch until weights are loaded."""
