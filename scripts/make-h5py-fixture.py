"""Writes Tests/HDF5Tests/Resources/h5py.h5 with h5py, as another program's file for the HDF5 tests to read.

Run from the repository's root: python3 scripts/make-h5py-fixture.py
"""

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
