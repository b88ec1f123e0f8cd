"""The numbers of a table before anyone lays them out: figures by row and variant, their means, and the frontier."""
