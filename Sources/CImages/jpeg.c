// JPEG through libjpeg: integer DCT and smooth chroma upsampling as Pillow uses them, grey and CMYK turned to RGB.
#include "CImages.h"
#include "pixels.h"
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

/// More scans than any encoder writes; a small hostile file may hold thousands, each a pass over the whole image.
enum { MAXIMUM_SCANS = 256 };

struct failure {
  struct jpeg_error_mgr manager;
  jmp_buf jump;
  char *message;
};

static void fail(j_common_ptr info) {
  struct failure *failure = (struct failure *)info->err;
  char words[JMSG_LENGTH_MAX];
  info->err->format_message(info, words);
  snprintf(failure->message, CIMAGES_MESSAGE_SIZE, "%s", words);
  longjmp(failure->jump, 1);
}

/// Warnings that mean lost pixels are errors, which Pillow does not say; remarks about markers and padding are not.
static void judge(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_JPEG_EOF:
  case JWRN_MUST_RESYNC:
    fail(info);
  }
}

/// The source ends where the bytes end: the library waits for more (as under Pillow), and does not make up an end.
static boolean no_more(j_decompress_ptr info) {
  (void)info;
  return FALSE;
}

static void nothing(j_decompress_ptr info) { (void)info; }

static void skip(j_decompress_ptr info, long count) {
  struct jpeg_source_mgr *source = info->src;
  if (count <= 0) return;
  size_t step = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
  source->next_input_byte += step;
  source->bytes_in_buffer -= step;
}

/// Leaves with the words that libjpeg has for a file that is cut.
static void cut(struct failure *failure) {
  snprintf(failure->message, CIMAGES_MESSAGE_SIZE, "Premature end of JPEG file");
  longjmp(failure->jump, 1);
}

static void limit_scans(j_common_ptr info) {
  if (((j_decompress_ptr)info)->input_scan_number <= MAXIMUM_SCANS) return;
  struct failure *failure = (struct failure *)info->err;
  snprintf(failure->message, CIMAGES_MESSAGE_SIZE, "more than %d scans", MAXIMUM_SCANS);
  longjmp(failure->jump, 1);
}

static void read_header(j_decompress_ptr info, struct failure *failure, struct jpeg_source_mgr *source,
                        const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(info);
  *source = (struct jpeg_source_mgr){.next_input_byte = bytes,
                                     .bytes_in_buffer = count,
                                     .init_source = nothing,
                                     .fill_input_buffer = no_more,
                                     .skip_input_data = skip,
                                     .resync_to_restart = jpeg_resync_to_restart,
                                     .term_source = nothing};
  info->src = source;
  if (jpeg_read_header(info, TRUE) == JPEG_SUSPENDED) cut(failure);
  if (info->num_components != 1 && info->num_components != 3 && info->num_components != 4) {
    snprintf(failure->message, CIMAGES_MESSAGE_SIZE, "%d colour components (1, 3 and 4 are known)",
             info->num_components);
    longjmp(failure->jump, 1);
  }
}

static void prepare(j_decompress_ptr info, struct failure *failure, char *message) {
  info->err = jpeg_std_error(&failure->manager);
  failure->manager.error_exit = fail;
  failure->manager.emit_message = judge;
  failure->message = message;
}

int cimages_jpeg_size(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height, char *message) {
  struct jpeg_decompress_struct info = {0};
  struct jpeg_source_mgr source;
  struct failure failure;
  prepare(&info, &failure, message);
  if (setjmp(failure.jump)) {
    jpeg_destroy_decompress(&info);
    return -1;
  }
  read_header(&info, &failure, &source, bytes, count);
  *width = info.image_width;
  *height = info.image_height;
  jpeg_destroy_decompress(&info);
  return 0;
}

/// Adobe's files, which are the CMYK files there are, store inks inverted: 255 is none. Pillow reads all of them so.
static void inverted_cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, uint32_t width) {
  for (uint32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    unsigned light = cmyk[3];
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(light - scaled(255 - cmyk[c], light));
  }
}

int cimages_jpeg_decode(const uint8_t *bytes, size_t count, uint32_t width, uint32_t height, int white, uint8_t *rgb,
                        char *message) {
  (void)white;  // no JPEG is transparent
  struct jpeg_decompress_struct info = {0};
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress = {.progress_monitor = limit_scans};
  struct failure failure;
  prepare(&info, &failure, message);
  if (setjmp(failure.jump)) {
    jpeg_destroy_decompress(&info);
    return -1;
  }
  read_header(&info, &failure, &source, bytes, count);
  info.progress = &progress;
  info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  if (!jpeg_start_decompress(&info)) cut(&failure);
  if (info.output_width != width || info.output_height != height) {
    snprintf(message, CIMAGES_MESSAGE_SIZE, "the header changed between two readings");
    longjmp(failure.jump, 1);
  }
  JSAMPARRAY inks = NULL;
  if (info.num_components == 4)
    inks = info.mem->alloc_sarray((j_common_ptr)&info, JPOOL_IMAGE, 4 * width, 1);
  while (info.output_scanline < height) {
    uint8_t *row = rgb + 3 * (size_t)width * info.output_scanline;
    if (jpeg_read_scanlines(&info, inks != NULL ? inks : &row, 1) != 1) cut(&failure);
    if (inks != NULL) inverted_cmyk_to_rgb(inks[0], row, width);
  }
  // All pixels are there; only the end marker may be missing.
  int has_end = jpeg_finish_decompress(&info);
  if (!has_end) snprintf(message, CIMAGES_MESSAGE_SIZE, "no end marker");
  jpeg_destroy_decompress(&info);
  return has_end ? 0 : 1;
}
