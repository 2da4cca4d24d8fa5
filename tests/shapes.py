"""The lengths and offsets that every kernel's tests walk: around each vector width, aligned and not."""

LENGTHS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1024, 4096)
OFFSETS = (0, 1, 3, 7, 15)
DIMENSIONS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 129, 200, 256, 257, 384, 768, 1000, 1024, 1536)
