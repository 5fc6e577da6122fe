"""What happened, and who is told: events, deliveries."""
