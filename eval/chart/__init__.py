"""One chart of quality against cost: laid out here, drawn as SVG, in the report and as a file."""
