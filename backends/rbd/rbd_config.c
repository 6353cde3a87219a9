/* What a definition means to Ceph: names, and time. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define SECTOR 512

int config_split_name(const char *name, char **pool, char **namespace, struct error *err)
{
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : strlen(name);

	*pool = *namespace = NULL;
	if (!len || (slash && (!slash[1] || strchr(slash + 1, '/'))))
		return error_set(
			err, EINVAL,
			"'%s' is no Ceph pool: source/name is POOL or POOL/NAMESPACE",
			name);
	*pool = strndup(name, len);
	if (slash)
		*namespace = strdup(slash + 1);
	if (!*pool || (slash && !*namespace)) {
		free(take(*pool));
		return error_code(err, ENOMEM, "cannot use the Ceph pool '%s'", name);
	}
	return 0;
}

static int refuse_backing(const char *path, const char *pool_path, struct error *err)
{
	return error_set(
		err, EINVAL,
		"an image can be a clone of a snapshot in its own pool only: the "
		"backing path is '%s/IMAGE@SNAPSHOT', not '%s'",
		pool_path, path);
}

int config_split_backing(const char *path, const char *pool_path, char **image,
			 char **snap, struct error *err)
{
	size_t prefix = strlen(pool_path);
	const char *at;

	*image = *snap = NULL;
	if (!strncmp(path, pool_path, prefix) && path[prefix] == '/')
		path += prefix + 1;
	at = strrchr(path, '@');
	if (!at || at == path || !at[1] || strchr(path, '/'))
		return refuse_backing(path, pool_path, err);
	*image = strndup(path, at - path);
	*snap = strdup(at + 1);
	if (*image && *snap)
		return 0;
	free(take(*image));
	free(take(*snap));
	return error_code(err, ENOMEM, "cannot clone '%s'", path);
}

uint64_t config_round_size(uint64_t size)
{
	return size > UINT64_MAX - SECTOR ? size : (size + SECTOR - 1) / SECTOR * SECTOR;
}

unsigned config_op_timeout(uint64_t timeout_ns)
{
	uint64_t s = timeout_ns / NS_PER_S;

	return s <= 2 ? 1 : MIN(s - MAX(s / 4, 1), 3600);
}
