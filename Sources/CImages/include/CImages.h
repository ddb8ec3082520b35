// PNG and JPEG into 8-bit RGB, in C because libpng and libjpeg report errors by longjmp, which Swift must not see.
#ifndef CIMAGES_H
#define CIMAGES_H
#include <stddef.h>
#include <stdint.h>

/// Room for a library's own words, its terminating zero included.
enum { CIMAGES_MESSAGE_SIZE = 256 };

/// Reads the header alone. 0, or -1 with the library's words in `message` (CIMAGES_MESSAGE_SIZE bytes).
int cimages_png_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message);
int cimages_jpeg_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message);

/// Decodes into `rgb` (3 * width * height bytes, rows from the top); `width` and `height` are those of the header.
/// 0; 1 where the file is damaged but all its pixels are there as Pillow reads them, with the damage in `message`;
/// or -1 with the library's words in `message`.
/// `white`: whether transparent pixels are laid on white before their alpha is dropped (transformers 5's
/// `convert_to_rgb`); otherwise the alpha is dropped.
int cimages_png_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                       char *message);
int cimages_jpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                        char *message);

#endif
