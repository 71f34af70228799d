/* One file of a model, from the hub into the cache. */
#ifndef CI_HUB_DOWNLOAD_H
#define CI_HUB_DOWNLOAD_H
#include "hub/remote.h"

/* How many bytes of the file are here already: all of a blob, or what an earlier download of it has left. */
int64_t ci_download_present(const ci_hub *hub, const ci_remote_file *file);
/* Fetches the file unless its blob is there, and links it into the snapshot of hub->commit. Bytes go to
 * ETAG.incomplete, whatever ends the download: the next one goes on behind them. The blob gets its name when its size
 * and hash are right and it is on the disk. Adds to hub->done; *fetched: the bytes that came. Errors: CI_EFILE,
 * CI_ECANCEL. */
ci_status ci_download_file(ci_hub *hub, const char *name, const ci_remote_file *file, int64_t *fetched, ci_error *err);

#endif
