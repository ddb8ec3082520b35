// WebP through libwebp: one still image, lossy or lossless, with or without alpha.
#include "CImages.h"
#include "pixels.h"
#include <stdio.h>
#include <stdlib.h>
#include <webp/decode.h>

static int fail(char *message, VP8StatusCode status) {
  static const char *const words[] = {"no error",         "out of memory", "invalid parameter", "broken bitstream",
                                      "unsupported feature", "suspended",  "aborted",
                                      "the file ends early"};
  unsigned index = (unsigned)status;
  snprintf(message, CIMAGES_MESSAGE_SIZE, "%s", index < sizeof words / sizeof *words ? words[index] : "unknown error");
  return CIMAGES_FAILED;
}

static int read_header(const uint8_t *bytes, size_t count, WebPBitstreamFeatures *features, char *message) {
  VP8StatusCode status = WebPGetFeatures(bytes, count, features);
  if (status != VP8_STATUS_OK) return fail(message, status);
  if (features->has_animation) {
    snprintf(message, CIMAGES_MESSAGE_SIZE, "an animated WebP");
    return CIMAGES_NOT_READ;
  }
  return CIMAGES_READ;
}

int cimages_webp_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message) {
  WebPBitstreamFeatures features;
  int status = read_header(bytes, count, &features, message);
  if (status != CIMAGES_READ) return status;
  *width = (uint32_t)features.width;
  *height = (uint32_t)features.height;
  return CIMAGES_READ;
}

int cimages_webp_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                        char *message) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return fail(message, VP8_STATUS_INVALID_PARAM);
  int status = read_header(bytes, count, &config.input, message);
  if (status != CIMAGES_READ) return status;
  if ((uint32_t)config.input.width != width || (uint32_t)config.input.height != height) {
    snprintf(message, CIMAGES_MESSAGE_SIZE, "the header changed between two readings");
    return CIMAGES_FAILED;
  }
  int has_alpha = white && config.input.has_alpha;
  size_t channels = has_alpha ? 4 : 3, stride = channels * width, size = stride * height;
  uint8_t *samples = has_alpha ? malloc(size) : rgb;
  if (samples == NULL) return fail(message, VP8_STATUS_OUT_OF_MEMORY);
  config.output.colorspace = has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = samples;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size = size;
  VP8StatusCode decoded = WebPDecode(bytes, count, &config);
  WebPFreeDecBuffer(&config.output);
  if (has_alpha) {
    if (decoded == VP8_STATUS_OK)
      for (uint32_t y = 0; y < height; y++)
        rgba_to_rgb(samples + y * stride, rgb + 3 * (size_t)width * y, width, 1);
    free(samples);
  }
  return decoded == VP8_STATUS_OK ? CIMAGES_READ : fail(message, decoded);
}
