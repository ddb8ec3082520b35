// PNG, JPEG, WebP and TIFF into 8-bit RGB, in C because libpng and libjpeg report errors by longjmp, which Swift must
// not see, and libtiff's functions take variable arguments, which Swift cannot pass.
#ifndef CIMAGES_H
#define CIMAGES_H
#include <stddef.h>
#include <stdint.h>

/// Room for a library's own words, its terminating zero included.
enum { CIMAGES_MESSAGE_SIZE = 256 };

/// What every function may return.
enum {
  CIMAGES_READ = 0,
  /// The file is damaged but all its pixels are there as Pillow reads them; `message` has the damage.
  CIMAGES_DAMAGED = 1,
  /// `message` has the library's words.
  CIMAGES_FAILED = -1,
  /// The file is sound but of a kind that is not read; `message` says which, as "an animated WebP".
  CIMAGES_NOT_READ = -2
};

/// Reads the header alone. `message` has CIMAGES_MESSAGE_SIZE bytes.
typedef int cimages_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message);
cimages_size cimages_png_size, cimages_jpeg_size, cimages_webp_size, cimages_tiff_size;

/// Decodes into `rgb` (3 * width * height bytes, rows from the top); `width` and `height` are those of the header.
/// `white`: whether transparent pixels are laid on white before their alpha is dropped (transformers 5's
/// `convert_to_rgb`); otherwise the alpha is dropped.
typedef int cimages_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white,
                           uint8_t *rgb, char *message);
cimages_decode cimages_png_decode, cimages_jpeg_decode, cimages_webp_decode, cimages_tiff_decode;

#endif
