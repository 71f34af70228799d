/* See download.h. */
#include "hub/download.h"
#include "base/file.h"
#include "base/memory.h"
#include "hub/cache.h"
#include "hub/digest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  ci_hub *hub;
  const char *name; /* in the repository */
  const ci_remote_file *file;
  char *blob, *incomplete; /* paths */
  char *url;
  int handle;      /* of incomplete */
  int64_t here;    /* bytes of it */
  int64_t fetched; /* of these, in this run */
  bool resumed;    /* some are from an earlier run */
  ci_digest *digest;
} download;

static char *incomplete_path(const char *blob) {
  ci_text text = {0};
  ci_text_add_format(&text, "%s.incomplete", blob);
  return ci_text_take(&text);
}

static int64_t file_size(const char *path) {
  struct stat facts;
  return path && stat(path, &facts) == 0 && S_ISREG(facts.st_mode) ? (int64_t)facts.st_size : 0;
}

int64_t ci_download_present(const ci_hub *hub, const ci_remote_file *file) {
  char *blob = ci_cache_path(hub->folder, "blobs", file->etag), *incomplete = blob ? incomplete_path(blob) : NULL;
  int64_t present = blob && ci_file_exists(blob) ? file->size : file_size(incomplete);
  ci_free(blob);
  ci_free(incomplete);
  return present > file->size ? 0 : present;
}

static ci_status cannot_write(const download *d, ci_error *err) {
  return ci_fail(err, CI_EFILE, d->incomplete, "cannot be written: %s", strerror(errno));
}

/* Begins anew, with an empty file. */
static ci_status restart(download *d, ci_error *err) {
  d->hub->done -= d->here;
  d->here = 0;
  d->resumed = false;
  if (ftruncate(d->handle, 0)) return cannot_write(d, err);
  return ci_digest_restart(d->digest, err);
}

/* What the answer says before its bytes: does it begin where we are, and is it as long as it should be? */
static ci_status check_begin(download *d, const ci_answer *answer, ci_error *err) {
  int64_t first = 0, total = d->file->size, length = ci_answer_number(answer, CI_HTTP_LENGTH);
  if (answer->status == 206 && !ci_answer_range(answer, &first, &total))
    return ci_fail(err, CI_EFILE, d->url, "answers with the range \"%.60s\"", ci_answer_get(answer, CI_HTTP_RANGE));
  if (answer->status == 206 && first != d->here)
    return ci_fail(err, CI_EFILE, d->url, "answers from byte %lld on, expected %lld", (long long)first,
                   (long long)d->here);
  if (answer->status != 206 && d->here) { /* it gives the whole file again */
    ci_status status = restart(d, err);
    if (status) return status;
  }
  if (total != d->file->size || (length >= 0 && length != d->file->size - d->here))
    return ci_fail(err, CI_EFILE, d->url, "sends %lld bytes of %lld, expected %lld of %lld as it was announced",
                   (long long)length, (long long)total, (long long)(d->file->size - d->here), (long long)d->file->size);
  return CI_OK;
}

static ci_status take(void *context, const ci_answer *answer, size_t before, const void *bytes, size_t length,
                      ci_error *err) {
  download *d = context;
  ci_status status = before == 0 ? check_begin(d, answer, err) : CI_OK;
  if (!status && (int64_t)length > d->file->size - d->here)
    status =
        ci_fail(err, CI_EFILE, d->url, "sends more than the %lld bytes that it announced", (long long)d->file->size);
  const char *at = bytes;
  for (size_t left = length; !status && left;) {
    ssize_t put = write(d->handle, at, left);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return cannot_write(d, err);
    status = ci_digest_add(d->digest, at, (size_t)put, err);
    at += put, left -= (size_t)put;
    d->here += put, d->fetched += put, d->hub->done += put;
  }
  return status;
}

/* Hashes what an earlier run has left. */
static ci_status read_left(download *d, ci_error *err) {
  enum { PIECE = 1 << 20 };
  char *buffer = ci_alloc(PIECE, 1);
  ci_status status = buffer ? CI_OK : ci_fail_memory(err);
  while (!status) {
    ssize_t got = read(d->handle, buffer, PIECE);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = ci_fail(err, CI_EFILE, d->incomplete, "cannot be read: %s", strerror(errno));
    if (got <= 0) break;
    d->here += got, d->hub->done += got;
    status = ci_digest_add(d->digest, buffer, (size_t)got, err);
    if (!status && ci_remote_tick(d->hub)) status = ci_fail(err, CI_ECANCEL, d->name, "canceled");
  }
  d->resumed = d->here > 0;
  ci_free(buffer);
  return status;
}

static ci_status open_incomplete(download *d, ci_error *err) {
  d->handle = open(d->incomplete, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (d->handle < 0) return cannot_write(d, err);
  ci_status status = ci_digest_open(d->file->etag, d->file->size, &d->digest, err);
  if (!status) status = read_left(d, err);
  if (!status && d->here > d->file->size) status = restart(d, err);
  return status;
}

/* One call, which may end before all is here: *again says whether another one may bring more. */
static ci_status fetch_once(download *d, bool *again, ci_error *err) {
  ci_hub *hub = d->hub;
  const ci_answer *a = &hub->answer;
  ci_http_call call = {.url = d->url, .from = d->here, .take = take, .context = d};
  ci_status status = ci_http_run(hub->http, &call, &hub->answer, err);
  *again = false;
  if (status || d->here == d->file->size) return status;
  bool passing = a->status == 429 || a->status == 408 || (a->status >= 500 && a->status <= 504);
  *again = a->status == 416 || a->status / 100 == 2 || passing || (a->problem[0] && a->reached);
  if (a->status == 416) return restart(d, err);
  return *again ? CI_OK : ci_remote_refused(hub, d->name, err);
}

/* Calls until all is here, or until CI_HUB_ATTEMPTS calls in a row have not come further than those before. */
static ci_status fetch(download *d, ci_error *err) {
  ci_status status = CI_OK;
  bool again = true;
  int64_t furthest = d->here;
  for (int attempt = 0; !status && d->here < d->file->size;) {
    status = fetch_once(d, &again, err);
    if (status || d->here == d->file->size) break;
    attempt = d->here > furthest ? 1 : attempt + 1;
    if (d->here > furthest) furthest = d->here;
    if (attempt == CI_HUB_ATTEMPTS)
      return d->hub->answer.problem[0] || d->hub->answer.status / 100 != 2
                 ? ci_remote_refused(d->hub, d->name, err)
                 : ci_fail(err, CI_EFILE, d->url, "sends %lld bytes and no more, expected %lld", (long long)d->here,
                           (long long)d->file->size);
    ci_remote_warn(d->hub, "%s: the connection broke off at byte %lld of %lld, trying again", d->name,
                   (long long)d->here, (long long)d->file->size);
    status = ci_remote_pause(d->hub, attempt, err);
  }
  return status;
}

/* Fetches and checks; once more from the beginning where bytes of an earlier run may be to blame. */
static ci_status fetch_right(download *d, ci_error *err) {
  ci_status status = fetch(d, err);
  if (status) return status;
  ci_error first = {0};
  status = ci_digest_check(d->digest, d->url, &first);
  if (status && d->resumed) {
    ci_remote_warn(d->hub, "%s: what an earlier download left is damaged, beginning anew", d->name);
    status = restart(d, err);
    if (!status) status = fetch(d, err);
    if (status) return status;
    first = (ci_error){0};
    status = ci_digest_check(d->digest, d->url, &first);
  }
  if (!status) return CI_OK;
  unlink(d->incomplete); /* nothing of it can be used again */
  if (err) *err = first;
  return status;
}

static ci_status make_blob(download *d, ci_error *err) {
  ci_status status = open_incomplete(d, err);
  if (!status && !d->digest) ci_remote_warn(d->hub, "%s: its ETag is no hash, only its size is checked", d->name);
  if (!status) status = fetch_right(d, err);
  if (status && d->here == 0) unlink(d->incomplete);
  if (!status && fsync(d->handle)) status = cannot_write(d, err);
  if (d->handle >= 0 && close(d->handle) && !status) status = cannot_write(d, err);
  if (!status && rename(d->incomplete, d->blob))
    status = ci_fail(err, CI_EFILE, d->blob, "cannot be written: %s", strerror(errno));
  return status;
}

ci_status ci_download_file(ci_hub *hub, const char *name, const ci_remote_file *file, int64_t *fetched, ci_error *err) {
  download d = {.hub = hub, .name = name, .file = file, .handle = -1};
  int lock = -1;
  char *blobs = ci_cache_path(hub->folder, "blobs", NULL);
  *fetched = 0;
  d.blob = ci_cache_path(hub->folder, "blobs", file->etag);
  d.incomplete = d.blob ? incomplete_path(d.blob) : NULL;
  d.url = ci_remote_url(hub, name);
  ci_status status = blobs && d.incomplete && d.url ? ci_make_folders(blobs, err) : ci_fail_memory(err);
  if (!status) status = ci_cache_lock(hub->folder, file->etag, ci_remote_tick, hub, &lock, err);
  if (!status && ci_file_exists(d.blob)) /* another process has made it since, or another revision has the same file */
    hub->done += file->size;
  else if (!status)
    status = make_blob(&d, err);
  if (!status) status = ci_cache_link(hub->folder, hub->commit, name, file->etag, err);
  ci_cache_unlock(lock);
  ci_digest_close(d.digest);
  ci_free(blobs);
  ci_free(d.blob);
  ci_free(d.incomplete);
  ci_free(d.url);
  *fetched = d.fetched;
  return status;
}
