"""What every printed text needs: columns that line up, and numbers with units."""
