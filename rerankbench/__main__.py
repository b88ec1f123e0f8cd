"""`python -m rerankbench`: the command where its script is not on the path."""

from .eval.cli import main

main()
