// TIFF through libtiff: the first page of a file in memory, of the kinds that Pillow turns into RGB.
#include "CImages.h"
#include "pixels.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum {
  /// Most bytes that the library takes at once, and that one tile may have.
  MAXIMUM_BLOCK = 1 << 29,
  /// Most samples of a pixel: four colours and two more, or three and three.
  MAXIMUM_SAMPLES = 6
};
/// Most bytes that all tiles of a file unpack to: tiles that reach far beyond their image cost time.
static const uint64_t MAXIMUM_TILES = UINT64_C(1) << 31;

/// The bytes of the file, and where the first error writes its words.
struct memory {
  const uint8_t *bytes;
  size_t count;
  uint64_t place;
  char *message;
  int has_failed;
};

static tmsize_t read_bytes(thandle_t handle, void *destination, tmsize_t wanted) {
  struct memory *memory = handle;
  if (wanted <= 0 || memory->place >= memory->count) return 0;
  size_t left = memory->count - (size_t)memory->place, count = (size_t)wanted < left ? (size_t)wanted : left;
  memcpy(destination, memory->bytes + memory->place, count);
  memory->place += count;
  return (tmsize_t)count;
}

static tmsize_t write_bytes(thandle_t handle, void *source, tmsize_t count) {
  (void)handle, (void)source, (void)count;
  return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
  struct memory *memory = handle;
  memory->place = offset + (whence == SEEK_CUR ? memory->place : whence == SEEK_END ? memory->count : 0);
  return memory->place;
}

static int close_nothing(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t size(thandle_t handle) { return ((struct memory *)handle)->count; }

static int map(thandle_t handle, void **base, toff_t *count) {
  struct memory *memory = handle;
  *base = (void *)(uintptr_t)memory->bytes;
  *count = memory->count;
  return 1;
}

static void unmap(thandle_t handle, void *base, toff_t count) { (void)handle, (void)base, (void)count; }

/// Any error counts: the library goes on after some and leaves pixels out.
static int note_error(TIFF *file, void *user, const char *module, const char *format, va_list arguments) {
  (void)file, (void)module;
  struct memory *memory = user;
  if (!memory->has_failed) vsnprintf(memory->message, CIMAGES_MESSAGE_SIZE, format, arguments);
  memory->has_failed = 1;
  return 1;
}

/// Remarks about tags that do not change pixels.
static int ignore_warning(TIFF *file, void *user, const char *module, const char *format, va_list arguments) {
  (void)file, (void)user, (void)module, (void)format, (void)arguments;
  return 1;
}

static TIFF *open_file(struct memory *memory) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (options == NULL) return NULL;
  TIFFOpenOptionsSetErrorHandlerExtR(options, note_error, memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, NULL);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, MAXIMUM_BLOCK);
  TIFF *file = TIFFClientOpenExt("image", "r", memory, read_bytes, write_bytes, seek, close_nothing, size, map, unmap,
                                 options);
  TIFFOpenOptionsFree(options);
  return file;
}

/// What the samples of a pixel are.
struct layout {
  uint32_t width, height;
  /// Bits of a sample; samples of a pixel as they are read.
  uint16_t bits, samples;
  enum { GRAY, INDEXED, RGB, CMYK } colors;
  /// Grey counts from white.
  int is_inverted;
  /// The sample after the colours: none of it, coverage that the colours were multiplied with, or plain coverage.
  enum { OPAQUE, MULTIPLIED, PLAIN } alpha;
  /// One plane a sample, of eight bits.
  int is_planar;
  uint8_t palette[256][3];
};

static int not_read(char *message, const char *format, unsigned value) {
  // The format's only argument, where it has one.
  snprintf(message, CIMAGES_MESSAGE_SIZE, format, value);
  return CIMAGES_NOT_READ;
}

static int is_known_compression(uint16_t compression) {
  switch (compression) {
  case COMPRESSION_NONE:
  case COMPRESSION_CCITTRLE:
  case COMPRESSION_CCITTFAX3:
  case COMPRESSION_CCITTFAX4:
  case COMPRESSION_LZW:
  case COMPRESSION_JPEG:
  case COMPRESSION_ADOBE_DEFLATE:
  case COMPRESSION_DEFLATE:
  case COMPRESSION_PACKBITS: return 1;
  default: return 0;
  }
}

/// Pillow takes the upper byte of each entry, also where the entries were written with 8 bits.
static void read_palette(TIFF *file, struct layout *layout) {
  uint16_t *tables[3];
  if (!TIFFGetField(file, TIFFTAG_COLORMAP, &tables[0], &tables[1], &tables[2])) return;
  for (int i = 0; i < 1 << layout->bits; i++)
    for (int c = 0; c < 3; c++) layout->palette[i][c] = (uint8_t)(tables[c][i] >> 8);
}

/// A number of two or four bytes in the file's order; 0 beyond its end.
static uint32_t number(const struct memory *memory, uint64_t place, int count) {
  uint32_t value = 0;
  if (place + (uint64_t)count > memory->count) return 0;
  for (int i = 0; i < count; i++) {
    int index = memory->bytes[0] == 'I' ? count - 1 - i : i;
    value = value << 8 | memory->bytes[place + (uint64_t)index];
  }
  return value;
}

/// Whether the first directory says what further samples are. Where it does not, the library makes them unspecified.
static int states_extra_samples(const struct memory *memory) {
  uint64_t directory = number(memory, 4, 4), entries = number(memory, directory, 2);
  for (uint64_t i = 0; i < entries; i++)
    if (number(memory, directory + 2 + 12 * i, 2) == TIFFTAG_EXTRASAMPLES) return 1;
  return 0;
}

/// The layout of the first page, in the cases that Pillow has (`OPEN_INFO` of its TiffImagePlugin).
static int describe(TIFF *file, const struct memory *memory, struct layout *layout) {
  char *message = memory->message;
  *layout = (struct layout){0};
  uint16_t photometric = PHOTOMETRIC_MINISWHITE, format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE;
  uint16_t planes = PLANARCONFIG_CONTIG, extra_count = 0, *extras = NULL;
  if (!TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &layout->width) ||
      !TIFFGetField(file, TIFFTAG_IMAGELENGTH, &layout->height)) {
    snprintf(message, CIMAGES_MESSAGE_SIZE, "no width or height");
    return CIMAGES_FAILED;
  }
  TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &layout->bits);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &layout->samples);
  TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &planes);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(file, TIFFTAG_EXTRASAMPLES, &extra_count, &extras);
  TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &photometric);
  if (!is_known_compression(compression)) return not_read(message, "a TIFF of compression %u", compression);
  if (format != SAMPLEFORMAT_UINT) return not_read(message, "a TIFF of signed or floating-point samples", 0);
  unsigned bits = layout->bits, colors;
  switch (photometric) {
  case PHOTOMETRIC_MINISWHITE:
  case PHOTOMETRIC_MINISBLACK:
    layout->colors = GRAY;
    layout->is_inverted = photometric == PHOTOMETRIC_MINISWHITE;
    colors = 1;
    break;
  case PHOTOMETRIC_PALETTE: layout->colors = INDEXED, colors = 1; break;
  case PHOTOMETRIC_RGB: layout->colors = RGB, colors = 3; break;
  case PHOTOMETRIC_SEPARATED: layout->colors = CMYK, colors = 4; break;
  case PHOTOMETRIC_YCBCR:
    if (compression != COMPRESSION_JPEG || planes != PLANARCONFIG_CONTIG || layout->samples != 3)
      return not_read(message, "a TIFF in YCbCr without JPEG", 0);
    TIFFSetField(file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    layout->colors = RGB, colors = 3;
    break;
  default: return not_read(message, "a TIFF of photometric interpretation %u", photometric);
  }
  if (layout->samples < colors || layout->samples > MAXIMUM_SAMPLES)
    return not_read(message, "a TIFF of %u samples a pixel", layout->samples);
  unsigned more = layout->samples - colors;
  if (more > 0 && !states_extra_samples(memory)) {
    // Four samples of RGB that do not say what the fourth is are RGBA.
    if (layout->colors != RGB || more != 1 || planes == PLANARCONFIG_SEPARATE)
      return not_read(message, "a TIFF of %u samples a pixel", layout->samples);
    layout->alpha = PLAIN;
  } else if (more > extra_count) {
    return not_read(message, "a TIFF of %u samples a pixel", layout->samples);
  } else if (more > 0) {
    uint16_t kind = extras[0];
    layout->alpha = kind == EXTRASAMPLE_ASSOCALPHA ? MULTIPLIED : kind == EXTRASAMPLE_UNASSALPHA ? PLAIN : OPAQUE;
    for (unsigned i = 1; i < more; i++)
      if (extras[i] != EXTRASAMPLE_UNSPECIFIED) return not_read(message, "a TIFF with several alpha channels", 0);
  }
  // Pillow forgets inversion and depth where grey is a plane of its own.
  if (planes == PLANARCONFIG_SEPARATE && compression == COMPRESSION_NONE && (layout->is_inverted || bits != 8))
    return not_read(message, "a TIFF with a plane for each of %u samples", layout->samples);
  layout->is_planar = planes == PLANARCONFIG_SEPARATE && layout->samples > 1;
  int is_narrow = bits == 1 || bits == 2 || bits == 4;
  int is_known = 0;
  switch (layout->colors) {
  case GRAY:
    is_known = (is_narrow && more == 0) || (bits == 16 && more == 0 && !layout->is_inverted) ||
               (bits == 8 && (more == 0 || (more == 1 && !layout->is_inverted && layout->alpha != MULTIPLIED)));
    break;
  case INDEXED:
    is_known = (is_narrow && more == 0) || (bits == 8 && more <= 1 && layout->alpha != MULTIPLIED);
    break;
  case RGB: is_known = bits == 8 || (bits == 16 && more <= 1); break;
  case CMYK: is_known = layout->alpha == OPAQUE && (bits == 8 || (bits == 16 && more == 0)); break;
  }
  if (!is_known) return not_read(message, "a TIFF of %u bits a sample in an unusual arrangement", bits);
  if (layout->is_planar && (bits != 8 || layout->alpha == MULTIPLIED || layout->colors == GRAY ||
                            layout->colors == INDEXED || compression == COMPRESSION_JPEG))
    return not_read(message, "a TIFF with a plane for each of %u samples", layout->samples);
  if (layout->colors == INDEXED) read_palette(file, layout);
  return CIMAGES_READ;
}

/// Sample `index` of a row as eight bits, or the index of a palette.
static unsigned sample(const struct layout *layout, const uint8_t *row, size_t index) {
  unsigned bits = layout->bits;
  if (bits == 8) return row[index];
  if (bits == 16) {
    uint16_t wide;
    memcpy(&wide, row + 2 * index, 2);
    // Grey is clipped, as Pillow's I;16 to RGB does; colours lose their lower byte.
    return layout->colors == GRAY ? (wide > 255 ? 255 : wide) : wide >> 8;
  }
  unsigned value = row[index * bits / 8] >> (8 - bits - index * bits % 8) & ((1u << bits) - 1);
  return layout->colors == GRAY ? value * 255 / ((1u << bits) - 1) : value;
}

/// `count` pixels of a row that begins at its first sample.
static void to_rgb(const struct layout *layout, const uint8_t *row, uint8_t *rgb, uint32_t count, int white) {
  for (uint32_t x = 0; x < count; x++, rgb += 3) {
    size_t first = (size_t)x * layout->samples;
    unsigned color[4] = {0}, colors = layout->colors == RGB ? 3 : layout->colors == CMYK ? 4 : 1;
    for (unsigned c = 0; c < colors; c++) color[c] = sample(layout, row, first + c);
    unsigned alpha = layout->alpha == OPAQUE ? 255 : sample(layout, row, first + colors);
    switch (layout->colors) {
    case GRAY: color[0] = color[1] = color[2] = layout->is_inverted ? 255 - color[0] : color[0]; break;
    case INDEXED: {
      const uint8_t *entry = layout->palette[color[0]];
      for (int c = 0; c < 3; c++) color[c] = entry[c];
      break;
    }
    case RGB:
      if (layout->alpha == MULTIPLIED && alpha != 255)
        for (int c = 0; c < 3; c++) {
          unsigned value = alpha == 0 ? 0 : color[c] * 255 / alpha;
          color[c] = value > 255 ? 255 : value;
        }
      break;
    case CMYK: {
      unsigned light = 255 - color[3];
      for (int c = 0; c < 3; c++) color[c] = light - scaled(color[c], light);
      break;
    }
    }
    for (int c = 0; c < 3; c++) rgb[c] = white ? on_white(color[c], alpha) : (uint8_t)color[c];
  }
}


/// Reads all blocks of `plane`; `buffer` has room for one. A planar file's go into `planes`, the others' into `rgb`.
static int read_blocks(TIFF *file, const struct layout *layout, uint16_t plane, uint8_t *buffer, tmsize_t room,
                       uint8_t *planes, uint8_t *rgb, int white) {
  uint32_t width = layout->width, height = layout->height, side = width, rows = height;
  int is_tiled = TIFFIsTiled(file);
  if (is_tiled) {
    TIFFGetField(file, TIFFTAG_TILEWIDTH, &side);
    TIFFGetField(file, TIFFTAG_TILELENGTH, &rows);
  } else {
    TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &rows);
    if (rows > height) rows = height;
  }
  if (side == 0 || rows == 0) return -1;
  size_t stride = (size_t)(is_tiled ? TIFFTileRowSize(file) : TIFFScanlineSize(file));
  for (uint32_t y = 0; y < height; y += rows) {
    for (uint32_t x = 0; x < width; x += side) {
      uint32_t there = height - y < rows ? height - y : rows, across = width - x < side ? width - x : side;
      size_t wanted = stride * (is_tiled ? rows : there);
      if (wanted > (size_t)room) return -1;
      tmsize_t got = is_tiled
                         ? TIFFReadEncodedTile(file, TIFFComputeTile(file, x, y, 0, plane), buffer, (tmsize_t)wanted)
                         : TIFFReadEncodedStrip(file, TIFFComputeStrip(file, y, plane), buffer, (tmsize_t)wanted);
      if (got < 0 || (size_t)got < wanted) return -1;
      for (uint32_t row = 0; row < there; row++) {
        const uint8_t *from = buffer + row * stride;
        size_t to = (size_t)(y + row) * width + x;
        if (planes == NULL)
          to_rgb(layout, from, rgb + 3 * to, across, white);
        else
          for (uint32_t i = 0; i < across; i++) planes[(to + i) * layout->samples + plane] = from[i];
      }
      if (side > width - x) break;
    }
    if (rows > height - y) break;
  }
  return 0;
}

static int read_pixels(TIFF *file, const struct layout *layout, int white, uint8_t *rgb, char *message) {
  tmsize_t room = TIFFIsTiled(file) ? TIFFTileSize(file) : TIFFStripSize(file);
  if (room <= 0 || room > MAXIMUM_BLOCK) return not_read(message, "a TIFF of strips or tiles of more than 512 MiB", 0);
  if (TIFFIsTiled(file) && (uint64_t)TIFFNumberOfTiles(file) * (uint64_t)room > MAXIMUM_TILES)
    return not_read(message, "a TIFF of tiles that are far larger than the image", 0);
  uint8_t *buffer = malloc((size_t)room), *planes = NULL;
  size_t pixels = (size_t)layout->width * layout->height;
  if (layout->is_planar) planes = malloc(pixels * layout->samples);
  int status = buffer == NULL || (layout->is_planar && planes == NULL) ? -1 : 0;
  for (uint16_t plane = 0; status == 0 && plane < (layout->is_planar ? layout->samples : 1); plane++)
    status = read_blocks(file, layout, plane, buffer, room, planes, rgb, white);
  if (status == 0 && planes != NULL)
    for (uint32_t y = 0; y < layout->height; y++)
      to_rgb(layout, planes + (size_t)y * layout->width * layout->samples, rgb + 3 * (size_t)y * layout->width,
             layout->width, white);
  free(buffer);
  free(planes);
  return status;
}

int cimages_tiff_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message) {
  struct memory memory = {bytes, count, 0, message, 0};
  struct layout layout;
  TIFF *file = open_file(&memory);
  int status = file == NULL ? CIMAGES_FAILED : describe(file, &memory, &layout);
  if (file != NULL) TIFFClose(file);
  if (status != CIMAGES_READ) {
    if (status == CIMAGES_FAILED && !memory.has_failed && message[0] == 0)
      snprintf(message, CIMAGES_MESSAGE_SIZE, "libtiff cannot open it");
    return status;
  }
  *width = layout.width;
  *height = layout.height;
  return CIMAGES_READ;
}

int cimages_tiff_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                        char *message) {
  struct memory memory = {bytes, count, 0, message, 0};
  struct layout layout;
  TIFF *file = open_file(&memory);
  int status = file == NULL ? CIMAGES_FAILED : describe(file, &memory, &layout);
  if (status == CIMAGES_READ && (layout.width != width || layout.height != height)) {
    snprintf(message, CIMAGES_MESSAGE_SIZE, "the header changed between two readings");
    status = CIMAGES_FAILED;
  }
  if (status == CIMAGES_READ) status = read_pixels(file, &layout, white, rgb, message);
  if (file != NULL) TIFFClose(file);
  if (status == CIMAGES_READ && memory.has_failed) status = CIMAGES_FAILED;
  if (status == CIMAGES_FAILED && message[0] == 0)
    snprintf(message, CIMAGES_MESSAGE_SIZE, "pixels are missing, or memory for them");
  return status;
}
