/* See gzip.h. */
#include "output/gzip.h"
#include <zlib.h>

enum { GZIP = 15 + 16, LEVEL = 5, MEMORY = 8, UNKNOWN_SYSTEM = 255, PIECE = 64 * 1024 };

static const uint64_t MOST = (uint64_t)1 << 32;

bool ci_is_gzip(const char *bytes, size_t length) {
  return length >= 2 && (uint8_t)bytes[0] == 0x1f && (uint8_t)bytes[1] == 0x8b;
}

/* The next stretch of the input: zlib counts in unsigned int. */
static void feed(z_stream *stream, const char **bytes, size_t *length) {
  if (stream->avail_in || !*length) return;
  stream->next_in = (Bytef *)*bytes;
  stream->avail_in = *length < PIECE ? (uInt)*length : PIECE;
  *bytes += stream->avail_in;
  *length -= stream->avail_in;
}

ci_status ci_gzip_add(const char *bytes, size_t length, ci_text *out, ci_error *err) {
  z_stream stream = {0};
  gz_header header = {.os = UNKNOWN_SYSTEM};
  uint8_t piece[PIECE];
  int status = Z_OK;
  if (deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) return ci_fail_memory(err);
  deflateSetHeader(&stream, &header);
  while (status == Z_OK) {
    feed(&stream, &bytes, &length);
    stream.next_out = piece;
    stream.avail_out = sizeof piece;
    status = deflate(&stream, length ? Z_NO_FLUSH : Z_FINISH);
    ci_text_add_n(out, (const char *)piece, sizeof piece - stream.avail_out);
  }
  deflateEnd(&stream);
  return status != Z_STREAM_END || out->failed ? ci_fail_memory(err) : CI_OK;
}

ci_status ci_gunzip(const char *where, const char *bytes, size_t length, ci_text *out, ci_error *err) {
  z_stream stream = {0};
  uint8_t piece[PIECE];
  int status = Z_OK;
  if (inflateInit2(&stream, GZIP) != Z_OK) return ci_fail_memory(err);
  while (status == Z_OK && !out->failed && out->length < MOST) {
    feed(&stream, &bytes, &length);
    stream.next_out = piece;
    stream.avail_out = sizeof piece;
    status = inflate(&stream, Z_NO_FLUSH);
    ci_text_add_n(out, (const char *)piece, sizeof piece - stream.avail_out);
    if (status == Z_STREAM_END && (stream.avail_in || length)) status = inflateReset(&stream); /* another member */
  }
  inflateEnd(&stream);
  if (out->failed || status == Z_MEM_ERROR) return ci_fail_memory(err);
  if (status == Z_STREAM_END) return CI_OK;
  return ci_fail(err, CI_EFILE, where, status == Z_OK ? "is larger than 4 GB" : "is not whole gzip data");
}
