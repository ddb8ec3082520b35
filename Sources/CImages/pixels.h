// Arithmetic of pixels that several formats share, rounded as Pillow rounds it.
#ifndef CIMAGES_PIXELS_H
#define CIMAGES_PIXELS_H
#include <stdint.h>

/// a * b / 255, rounded.
static inline uint8_t scaled(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return (uint8_t)(((t >> 8) + t) >> 8);
}

/// A sample laid on white: (s * a + 255 * (255 - a)) / 255, rounded, as Pillow's alpha_composite gives it.
static inline uint8_t on_white(unsigned sample, unsigned alpha) {
  unsigned t = sample * alpha + 255 * (255 - alpha) + 128;
  return (uint8_t)((t + (t >> 8)) >> 8);
}

/// Four bytes a pixel to three: on white, or without their alpha.
static inline void rgba_to_rgb(const uint8_t *rgba, uint8_t *rgb, uint32_t width, int white) {
  for (uint32_t x = 0; x < width; x++, rgba += 4, rgb += 3)
    for (int c = 0; c < 3; c++) rgb[c] = white ? on_white(rgba[c], rgba[3]) : rgba[c];
}

#endif
