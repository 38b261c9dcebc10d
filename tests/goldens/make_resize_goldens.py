"""Records what Pillow's antialiased BILINEAR makes of a computed pattern, for tests/loaders/resize_test.cpp.

Run with Pillow and NumPy: python3 tests/goldens/make_resize_goldens.py > tests/goldens/resize_pillow.json
"""
import json

import numpy
import PIL
from PIL import Image


def patterned(width, height):
    x = numpy.arange(width)[None, :]
    y = numpy.arange(height)[:, None]
    return ((x * x * 7 + y * 13 + x * y * 3) % 256).astype(numpy.uint8)


cases = []
for width, height, size in [(37, 53, 16), (90, 71, 20), (12, 9, 20), (200, 31, 24)]:
    image = Image.fromarray(patterned(width, height)).resize((size, size), Image.BILINEAR)
    cases.append({"width": width, "height": height, "size": size, "pixels": numpy.asarray(image).ravel().tolist()})
print(json.dumps({"made_with": "Pillow " + PIL.__version__, "cases": cases}))
