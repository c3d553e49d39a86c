"""The engine on a server that speaks OpenAI's interface: whatever computes there, it answers here."""
