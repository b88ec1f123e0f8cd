"""Tables: cells in, Markdown, CSV, LaTeX, HTML or JSON out."""
