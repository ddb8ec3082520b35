"""Writes files with h5py, as another program's for the tests to read: Tests/HDF5Tests/Resources/h5py.h5, and a pack of
rows and images, Tests/DatasetsTests/Resources/h5py-pack.h5.

Run from the repository's root: python3 scripts/make-h5py-fixture.py
"""

import hashlib
import json

import h5py
import numpy

with h5py.File("Tests/HDF5Tests/Resources/h5py.h5", "w") as file:
    file.attrs["schema_version"] = 1
    file.attrs["digest"] = numpy.array("größe".encode(), dtype=h5py.string_dtype(length=8))
    file.attrs["variable"] = "größe"
    row = file.create_group("row-1/base")
    row["logits"] = numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4
    row["nll"] = numpy.float64(0.1)
    row["empty"] = numpy.zeros((0, 5), dtype=numpy.int32)
    row["ids"] = numpy.array([b"row-1", "βγ".encode()], dtype=h5py.string_dtype(length=5))
    row.create_dataset("mask", data=numpy.array([0, 1, 1], dtype=numpy.uint8), fletcher32=True, compression="gzip")
    row["big_endian"] = numpy.array([1.5], dtype=">f4")
    row["null"] = h5py.Empty("f4")
    row["ascii"] = numpy.array([b"abc"])

images = {"a.png": bytes([1, 2, 3]), "sub/b.png": bytes([4, 5])}


def example(name, *files):
    question = {"role": "user", "content": "<image>" * len(files) + "?"}
    return {"id": name, "images": files, "messages": [question, {"role": "assistant", "content": "x"}]}


rows = "".join(json.dumps(row) + "\n" for row in (example("1", "a.png", "sub/b.png"), example("2", "a.png")))
lengths = numpy.array([len(data) for data in images.values()], dtype="<i8")
index = {
    "/rows": numpy.frombuffer(rows.encode(), "u1"),
    "/images/names": numpy.frombuffer(b"".join(name.encode() + b"\0" for name in images), "u1"),
    "/images/offsets": numpy.cumsum(lengths) - lengths,
    "/images/lengths": lengths,
    "/images/sha256": numpy.array([list(hashlib.sha256(data).digest()) for data in images.values()], "u1"),
}
digest = hashlib.sha256()
for path, values in index.items():
    digest.update(f"{path} {values.nbytes}\n".encode() + values.tobytes())

with h5py.File("Tests/DatasetsTests/Resources/h5py-pack.h5", "w") as file:
    file.attrs["format"] = numpy.bytes_("imagelora-pack")
    file.attrs["schema_version"] = numpy.int64(1)
    for path, values in index.items():
        file[path] = values
    file["/index_sha256"] = numpy.frombuffer(digest.digest(), "u1")
    file["/images/bytes"] = numpy.frombuffer(b"".join(images.values()), "u1")
