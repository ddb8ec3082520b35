// zlib's and libzstd's streaming decompression: files of examples are read through it.
#pragma once
#include <zlib.h>
#include <zstd.h>
