"""Do the weights of a model score as published? A minute, before hours are spent."""
