"""What stored scores say about orders that nobody ran: depths, cascades, early exits. No model is loaded."""
