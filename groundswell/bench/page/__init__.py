"""Results as one HTML page that needs nothing else: `document.py` puts its parts together."""
