"""Model files that are on this computer or on a stick already: taken over, packed, and unpacked."""
