// PNG through libpng's low-level interface: every colour type to the RGB that Pillow's convert("RGB") gives.
#include "CImages.h"
#include <png.h>
#include <stdio.h>
#include <string.h>

/// The bytes not yet read and where a failure writes its words.
struct source {
  const uint8_t *next;
  size_t left;
  char *message;
};

static void fail(png_structp png, png_const_charp words) {
  struct source *source = png_get_error_ptr(png);
  snprintf(source->message, CIMAGES_MESSAGE_SIZE, "%s", words);
  png_longjmp(png, 1);
}

/// Warnings concern chunks that do not change the pixels.
static void ignore(png_structp png, png_const_charp words) {
  (void)png;
  (void)words;
}

static void read_bytes(png_structp png, png_bytep destination, size_t count) {
  struct source *source = png_get_io_ptr(png);
  if (count > source->left) png_error(png, "Read Error: the file ends early");
  memcpy(destination, source->next, count);
  source->next += count;
  source->left -= count;
}

static png_structp open_reader(struct source *source, png_infop *info) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, source, fail, ignore);
  if (png == NULL) return NULL;
  *info = png_create_info_struct(png);
  if (*info == NULL) png_destroy_read_struct(&png, NULL, NULL);
  return png;
}

static int out_of_memory(char *message) {
  snprintf(message, CIMAGES_MESSAGE_SIZE, "libpng: out of memory");
  return -1;
}

static void read_header(png_structp png, png_infop info, struct source *source) {
  png_set_read_fn(png, source, read_bytes);
  // Text, profiles and other ancillary chunks are never unpacked: they cannot cost memory.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(png, info);
}

int cimages_png_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message) {
  struct source source = {bytes, count, message};
  png_infop info = NULL;
  png_structp png = open_reader(&source, &info);
  if (png == NULL) return out_of_memory(message);
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return -1;
  }
  read_header(png, info, &source);
  *width = png_get_image_width(png, info);
  *height = png_get_image_height(png, info);
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}

int cimages_png_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, uint8_t *rgb,
                       char *message) {
  struct source source = {bytes, count, message};
  png_infop info = NULL;
  png_structp png = open_reader(&source, &info);
  if (png == NULL) return out_of_memory(message);
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return -1;
  }
  read_header(png, info, &source);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height)
    png_error(png, "the header changed between two readings");

  int color = png_get_color_type(png, info);
  int wide_gray = color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);  // indices beyond the palette are black
  if (color == PNG_COLOR_TYPE_GRAY && !wide_gray) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  if (!wide_gray) {
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
  }
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t stride = 3 * (size_t)width;
  if (png_get_rowbytes(png, info) != (wide_gray ? 2 : 3) * (size_t)width) png_error(png, "unexpected row size");

  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < height; y++) png_read_row(png, rgb + y * stride, NULL);
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);

  if (wide_gray) {
    // Pillow's I;16 to RGB clips at 255. In place, from the right: three bytes are written behind two that were read.
    for (uint32_t y = 0; y < height; y++) {
      uint8_t *row = rgb + y * stride;
      for (size_t x = width; x-- > 0;) memset(row + 3 * x, row[2 * x] != 0 ? 255 : row[2 * x + 1], 3);
    }
  }
  return 0;
}
