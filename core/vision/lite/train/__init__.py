"""How the lite weights are made; needs the extra ``train``."""
