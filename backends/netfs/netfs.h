/* What the files of netfs pools share: a share by its names, mounting it, finding it. */
#pragma once

#include "backends/backend.h"
#include "backends/common/mounting.h"

enum netfs_kind { NETFS_NFS, NETFS_CIFS, NETFS_GLUSTERFS };

/* What a definition names. */
struct share {
	enum netfs_kind kind;
	char *source; /* as mount(8) takes it: "host:/dir", "//host/share" */
};
void share_clear(struct share *s);
#define AUTO_SHARE CLEANUP(share_clear)

int share_of(const struct pool_spec *spec, struct share *out, struct error *err);

/* Whether the mount is of this share, told without asking its server. */
bool share_is(const struct share *s, const struct mounted *m);

/* Both run the system's tools: these may be killed at the deadline, when a server is
 * dead. */
int share_mount(const struct pool_spec *spec, const struct host *host,
		const struct share *s, struct call *call, struct error *err);
/* answers: the server is not known to be dead. */
int share_umount(const struct mounted *m, bool answers, struct call *call,
		 struct error *err);

int netfs_discover(const struct pool_source *from, const struct host *host,
		   source_each each, void *arg, struct call *call, struct error *err);
