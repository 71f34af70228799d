/* See gzip.h. */
#include "output/gzip.h"
#include "base/memory.h"
#include <string.h>
#include <zlib.h>

enum { GZIP = 15 + 16, LEVEL = 5, MEMORY = 8, UNKNOWN_SYSTEM = 255, PIECE = 64 * 1024 };

static const uint64_t MOST = (uint64_t)1 << 32;

bool ci_is_gzip(const char *bytes, size_t length) {
  return length >= 2 && (uint8_t)bytes[0] == 0x1f && (uint8_t)bytes[1] == 0x8b;
}

struct ci_gzip {
  z_stream stream;
  gz_header header; /* zlib reads it when it writes the first bytes */
  ci_sink out;
  size_t used;
  char plain[PIECE]; /* not yet given to zlib */
};

ci_gzip *ci_gzip_create(ci_sink out) {
  ci_gzip *gzip = ci_alloc_zeroed(1, sizeof *gzip);
  if (!gzip) return NULL;
  gzip->out = out;
  gzip->header.os = UNKNOWN_SYSTEM;
  if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
    ci_free(gzip);
    return NULL;
  }
  deflateSetHeader(&gzip->stream, &gzip->header);
  return gzip;
}

void ci_gzip_close(ci_gzip *gzip) {
  if (gzip) deflateEnd(&gzip->stream);
  ci_free(gzip);
}

/* What was kept goes to zlib, and what zlib has ready to `out`. */
static ci_status pass_on(ci_gzip *gzip, int flush, ci_error *err) {
  uint8_t packed[PIECE];
  ci_status status = CI_OK;
  gzip->stream.next_in = (Bytef *)gzip->plain;
  gzip->stream.avail_in = (uInt)gzip->used;
  gzip->used = 0;
  do {
    gzip->stream.next_out = packed;
    gzip->stream.avail_out = sizeof packed;
    deflate(&gzip->stream, flush); /* an error would be one of ours: Z_BUF_ERROR says that nothing was left to do */
    status = gzip->out.add(gzip->out.context, (const char *)packed, sizeof packed - gzip->stream.avail_out, err);
  } while (!status && gzip->stream.avail_out == 0);
  return status;
}

static ci_status add(void *context, const char *bytes, size_t length, ci_error *err) {
  ci_gzip *gzip = context;
  ci_status status = CI_OK;
  while (length && !status) {
    if (gzip->used == PIECE) status = pass_on(gzip, Z_NO_FLUSH, err);
    size_t room = PIECE - gzip->used, take = length < room ? length : room;
    memcpy(gzip->plain + gzip->used, bytes, take);
    gzip->used += take;
    bytes += take;
    length -= take;
  }
  return status;
}

ci_sink ci_gzip_sink(ci_gzip *gzip) {
  return (ci_sink){add, gzip};
}

ci_status ci_gzip_finish(ci_gzip *gzip, ci_error *err) {
  return pass_on(gzip, Z_FINISH, err);
}

/* The next stretch of the input: zlib counts in unsigned int. */
static void feed(z_stream *stream, const char **bytes, size_t *length) {
  if (stream->avail_in || !*length) return;
  stream->next_in = (Bytef *)*bytes;
  stream->avail_in = *length < PIECE ? (uInt)*length : PIECE;
  *bytes += stream->avail_in;
  *length -= stream->avail_in;
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
