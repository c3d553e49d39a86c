"""The network: proxies, certificates, time-outs, and what goes wrong on the way to a server."""
