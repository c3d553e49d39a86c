"""What this PC has, and what should run where."""
