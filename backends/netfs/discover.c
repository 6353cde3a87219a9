/* What a host exports: asked by showmount, which knows the protocol of NFS v2 and v3. */
#include <errno.h>
#include <string.h>

#include "backends/netfs/netfs.h"
#include "backends/support/run.h"

static int ask(const char *host, struct buf *said, struct call *call, struct error *err)
{
	const char *const argv[] = { "showmount", "--no-headers", "--exports",
				     "--",	  host,		  NULL };
	struct run run = { .argv = argv,
			   .output = said,
			   .deadline_ns = call->deadline_ns,
			   .cancelled = call->cancelled };

	if (run_tool(&run, err) == 0)
		return 0;
	if (err->code == EIO)
		return error_prefix(err, "host '%s' does not say what it exports (one "
					 "that has NFSv4 only cannot: its root, '/', is "
					 "all there is to mount)",
				    host);
	return -err->code;
}

/* Each line: the directory, blanks, and who may mount it. */
static int give(char *text, const struct pool_source *from, source_each each, void *arg)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		struct pool_source found = { .hosts = from->hosts,
					     .n_hosts = 1,
					     .format = (char *)"nfs" };
		char *end = strrchr(line, ' ');
		int r;

		if (line[0] != '/')
			continue;
		while (end && end > line && *end == ' ')
			*end-- = '\0';
		found.dir = line;
		r = each(arg, &found);
		if (r < 0)
			return r;
	}
	return 0;
}

int netfs_discover(const struct pool_source *from, const struct host *host,
		   source_each each, void *arg, struct call *call, struct error *err)
{
	AUTO_BUF struct buf said = { 0 };
	int r;

	if (from->n_hosts != 1 || !from->hosts[0].name || from->hosts[0].name[0] == '-')
		return error_set(err, EINVAL,
				 "exports are asked for of one host: read "
				 "sources/netfs/HOST");
	r = ask(from->hosts[0].name, &said, call, err);
	if (r < 0 || !said.data)
		return r;
	r = give(said.data, from, each, arg);
	return r < 0 && !err->code ? error_code(err, -r, "cannot list exports") : r;
}
