"""The lite vision profile: small networks on a CPU, weights in the package, no download."""
