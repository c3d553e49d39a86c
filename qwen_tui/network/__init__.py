"""How the program asks servers: proxies, certificates, time-outs, and why a request failed."""
