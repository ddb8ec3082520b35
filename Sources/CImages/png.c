// PNG through libpng's low-level interface: every colour type to the RGB that Pillow's convert("RGB") gives.
#include "CImages.h"
#include "pixels.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/// The bytes not yet read and where a failure writes its words.
struct source {
  const uint8_t *next;
  size_t left;
  char *message;
  /// Whether a chunk without pixels has a wrong checksum; `message` says which.
  int is_damaged;
};

static void fail(png_structp png, png_const_charp words) {
  struct source *source = png_get_error_ptr(png);
  snprintf(source->message, CIMAGES_MESSAGE_SIZE, "%s", words);
  png_longjmp(png, 1);
}

/// Warnings concern chunks that do not change the pixels; of these only a wrong checksum means a damaged file.
static void note(png_structp png, png_const_charp words) {
  struct source *source = png_get_error_ptr(png);
  if (strstr(words, "CRC error") == NULL || source->is_damaged) return;
  snprintf(source->message, CIMAGES_MESSAGE_SIZE, "%s", words);
  source->is_damaged = 1;
}

static void read_bytes(png_structp png, png_bytep destination, size_t count) {
  struct source *source = png_get_io_ptr(png);
  if (count > source->left) png_error(png, "Read Error: the file ends early");
  memcpy(destination, source->next, count);
  source->next += count;
  source->left -= count;
}

static png_structp open_reader(struct source *source, png_infop *info) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, source, fail, note);
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
  struct source source = {bytes, count, message, 0};
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

/// The length that a chunk states.
static size_t chunk_length(const uint8_t *chunk) {
  return ((size_t)chunk[0] << 24) | ((size_t)chunk[1] << 16) | ((size_t)chunk[2] << 8) | chunk[3];
}

/// What tRNS says, read as Pillow reads it: libpng drops chunks that Pillow takes.
struct transparency {
  size_t count;
  uint8_t data[256];
};

/// Finds tRNS before the pixels. The chunks' lengths are checked by libpng before and here again.
static struct transparency find_transparency(const uint8_t *bytes, size_t count) {
  struct transparency found = {0};
  for (size_t place = 8; place < count && count - place >= 12;) {
    size_t length = chunk_length(bytes + place);
    const uint8_t *type = bytes + place + 4;
    if (memcmp(type, "IDAT", 4) == 0 || length > count - place - 12) break;
    if (memcmp(type, "tRNS", 4) == 0) {
      found.count = length < sizeof found.data ? length : sizeof found.data;
      memcpy(found.data, bytes + place + 8, found.count);
    }
    place += 12 + length;
  }
  return found;
}

/// How the samples of a file become RGB.
struct layout {
  /// Channels as libpng delivers them: 1 grey or index, 2 wide grey, 3 RGB, 4 RGBA.
  int channels;
  int is_indexed, is_wide_gray;
  /// Palette, black beyond its end.
  uint8_t palette[256][3];
  /// Alpha of each index.
  uint8_t alpha[256];
  /// The colour that is transparent, compared with 8-bit samples.
  int has_key;
  uint8_t key[3];
};

/// Rows of `channels` bytes a pixel into RGB. In place where rows hold at most three bytes a pixel: from the right.
static void to_rgb(const struct layout *layout, const uint8_t *samples, uint8_t *rgb, uint32_t width, int white) {
  for (size_t x = width; x-- > 0;) {
    const uint8_t *in = samples + layout->channels * x;
    uint8_t pixel[3];
    unsigned alpha = 255;
    if (layout->is_indexed) {
      memcpy(pixel, layout->palette[in[0]], 3);
      alpha = layout->alpha[in[0]];
    } else if (layout->is_wide_gray) {
      memset(pixel, in[0] != 0 ? 255 : in[1], 3);  // Pillow's I;16 to RGB clips at 255
    } else if (layout->channels == 1) {
      memset(pixel, in[0], 3);
    } else {
      memcpy(pixel, in, 3);
      if (layout->channels == 4) alpha = in[3];
    }
    if (layout->has_key && memcmp(pixel, layout->key, 3) == 0) alpha = 0;
    if (white && alpha != 255)
      for (int c = 0; c < 3; c++) pixel[c] = on_white(pixel[c], alpha);
    memcpy(rgb + 3 * x, pixel, 3);
  }
}

/// Pillow's use of tRNS for each colour type, its quirks included: keys are compared by their low bytes, with samples
/// that were scaled to 8 bits.
static void take_transparency(struct layout *layout, png_structp png, int color, int depth,
                              const struct transparency *found) {
  if (found->count == 0 && color != PNG_COLOR_TYPE_PALETTE) return;
  switch (color) {
  case PNG_COLOR_TYPE_PALETTE: memcpy(layout->alpha, found->data, found->count); break;
  case PNG_COLOR_TYPE_GRAY:
    if (found->count < 2) png_error(png, "tRNS: too short");
    layout->has_key = 1;
    memset(layout->key, depth == 1 ? (found->data[0] | found->data[1] ? 255 : 0) : found->data[1], 3);
    break;
  case PNG_COLOR_TYPE_RGB:
    if (found->count < 6) png_error(png, "tRNS: too short");
    layout->has_key = 1;
    for (int c = 0; c < 3; c++) layout->key[c] = found->data[2 * c + 1];
    break;
  default: break;  // colour types with alpha have no tRNS
  }
}

/// One reading of the file. `has_rows` is whether the chunks before the pixels are sound.
static int decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                  char *message, int *has_rows) {
  struct source source = {bytes, count, message, 0};
  png_infop info = NULL;
  uint8_t *volatile full = NULL;
  png_structp png = open_reader(&source, &info);
  if (png == NULL) return out_of_memory(message);
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(full);
    return -1;
  }
  read_header(png, info, &source);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height)
    png_error(png, "the header changed between two readings");
  *has_rows = 1;

  int color = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  struct layout layout = {.is_indexed = color == PNG_COLOR_TYPE_PALETTE,
                          .is_wide_gray = color == PNG_COLOR_TYPE_GRAY && depth == 16};
  memset(layout.alpha, 255, sizeof layout.alpha);
  struct transparency found = find_transparency(bytes, count);
  take_transparency(&layout, png, color, depth, &found);
  if (layout.is_indexed) {
    png_colorp palette = NULL;
    int colors = 0;
    png_get_PLTE(png, info, &palette, &colors);
    for (int i = 0; i < colors && i < 256; i++) {
      layout.palette[i][0] = palette[i].red;
      layout.palette[i][1] = palette[i].green;
      layout.palette[i][2] = palette[i].blue;
    }
    png_set_packing(png);
  } else if (!layout.is_wide_gray) {
    if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
    if (color == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(png);
    if (!white) png_set_strip_alpha(png);
    png_set_strip_16(png);
  }
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  layout.channels = layout.is_wide_gray ? 2 : png_get_channels(png, info);
  size_t stride = 3 * (size_t)width, row_bytes = (size_t)layout.channels * width;
  if (layout.channels < 1 || layout.channels > 4 || png_get_rowbytes(png, info) != row_bytes)
    png_error(png, "unexpected row size");
  // Rows of up to three bytes a pixel are read where their RGB goes.
  size_t read_stride = stride;
  uint8_t *rows = rgb;
  if (row_bytes > stride) {
    read_stride = row_bytes;
    full = malloc(row_bytes * height);
    if (full == NULL) png_error(png, "libpng: out of memory");
    rows = full;
  }
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < height; y++) png_read_row(png, rows + y * read_stride, NULL);
  for (uint32_t y = 0; y < height; y++) to_rgb(&layout, rows + y * read_stride, rgb + y * stride, width, white);
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  free(full);
  return source.is_damaged;
}

/// Appends a chunk with its checksum; returns the place behind it.
static uint8_t *write_chunk(uint8_t *place, const char *type, size_t length) {
  for (int i = 0; i < 4; i++) place[i] = (uint8_t)(length >> (24 - 8 * i));
  memcpy(place + 4, type, 4);
  uLong crc = crc32(crc32(0, NULL, 0), place + 4, (uInt)(length + 4));
  for (int i = 0; i < 4; i++) place[8 + length + i] = (uint8_t)(crc >> (24 - 8 * i));
  return place + 12 + length;
}

/// Most bytes of pixels for which a damaged file is read a second time: they are held twice, beside the image. A few
/// hundred kilobytes can unpack to that many.
enum { MAXIMUM_REPAIR = 1 << 28 };

/// The file again with all the pixels that can be unpacked from it, as Pillow unpacks them: checksums and lengths of
/// chunks and streams do not count. NULL where nothing can be unpacked; `count` becomes its length.
static uint8_t *repaired(const uint8_t *bytes, size_t *count, uint32_t width, uint32_t height) {
  size_t first = 8;
  while (*count - first >= 8 && memcmp(bytes + first + 4, "IDAT", 4) != 0) {
    if (chunk_length(bytes + first) + 12 > *count - first) return NULL;
    first += 12 + chunk_length(bytes + first);
  }
  if (*count - first < 8) return NULL;
  static const uint8_t channels[] = {1, 0, 3, 1, 2, 0, 4};
  size_t row = ((size_t)width * channels[bytes[25] % 7] * bytes[24] + 7) / 8;
  // Interlaced, there are up to twice as many rows, each with a filter byte and a byte that is begun.
  size_t room = row * height + 4 * (size_t)height + 64;
  if (room > MAXIMUM_REPAIR) return NULL;
  uLong packed = compressBound((uLong)room);
  uint8_t *raw = malloc(room), *file = malloc(first + packed + 24);
  z_stream stream = {0};
  if (raw == NULL || file == NULL || inflateInit(&stream) != Z_OK) {
    free(raw);
    free(file);
    return NULL;
  }
  stream.next_out = raw;
  stream.avail_out = (uInt)room;
  int status = Z_OK;
  for (size_t place = first; *count - place >= 8 && memcmp(bytes + place + 4, "IDAT", 4) == 0 && status == Z_OK;) {
    size_t length = chunk_length(bytes + place), there = *count - place - 8;
    stream.next_in = (Bytef *)(uintptr_t)(bytes + place + 8);
    stream.avail_in = (uInt)(length < there ? length : there);
    while (stream.avail_in > 0 && stream.avail_out > 0 && status == Z_OK) status = inflate(&stream, Z_SYNC_FLUSH);
    if (length + 4 > there) break;
    place += 12 + length;
  }
  size_t unpacked = room - stream.avail_out;
  inflateEnd(&stream);
  memcpy(file, bytes, first);
  uLong written = packed;
  int packs = compress2(file + first + 8, &written, raw, (uLong)unpacked, 0);
  free(raw);
  // Broken data, or pixels of another checksum: only a checksum that is missing is none.
  if (packs != Z_OK || status == Z_DATA_ERROR || status == Z_NEED_DICT) {
    free(file);
    return NULL;
  }
  uint8_t *end = write_chunk(write_chunk(file + first, "IDAT", written), "IEND", 0);
  *count = (size_t)(end - file);
  return file;
}

int cimages_png_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                       char *message) {
  int has_rows = 0;
  int status = decode(bytes, count, width, height, white, rgb, message, &has_rows);
  if (status >= 0 || !has_rows) return status;
  // Only the chunks of pixels and what follows them can be wrong now.
  uint8_t *file = repaired(bytes, &count, width, height);
  if (file == NULL) return -1;
  char words[CIMAGES_MESSAGE_SIZE];
  status = decode(file, count, width, height, white, rgb, words, &has_rows);
  free(file);
  return status < 0 ? -1 : 1;
}
