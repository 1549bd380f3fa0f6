"""A wardrobe drawn by code: a small catalog, media that show it, and the truth about both."""
