/* What a container or a service may use of the machine's memory: Linux control groups, versions 1 and 2. */
#ifndef CI_BASE_CGROUP_H
#define CI_BASE_CGROUP_H
#include <stddef.h>

/* Bytes that are left below the lowest limit of the groups that this process is in; SIZE_MAX: there is none, or it
 * cannot be read. membership: /proc/self/cgroup; mount: /sys/fs/cgroup. */
size_t ci_cgroup_available(const char *membership, const char *mount);

#endif
