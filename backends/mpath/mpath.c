/* Pool type "mpath": volumes are this host's multipath maps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/common/block_volumes.h"
#include "backends/mpath/maps.h"
#include "backends/mpath/news.h"

#define DIRECTORY "/dev/mapper"

/* The pool itself is nothing but the word that the host gets. */

static int mpath_start(const struct pool_spec *spec, const struct host *host,
		       struct call *call, void **pool, struct error *err)
{
	struct news *news = NULL;
	int r = maps_check(err);

	if (r == 0)
		r = news_start(host, &news, err);
	*pool = news;
	return r;
}

static void mpath_detach(void *pool)
{
	news_end(pool);
}

static int mpath_stop(void *pool, struct call *call, struct error *err)
{
	news_end(pool);
	return 0;
}

/* Nothing is cached. */
static int mpath_refresh(void *pool, struct call *call, struct error *err)
{
	return maps_check(err);
}

static int mpath_stat(void *pool, struct pool_stat *out, struct call *call,
		      struct error *err)
{
	AUTO_FREE struct map *list = NULL;
	int n = maps_list(&list, err);

	for (int i = 0; i < n; i++)
		block_add_size(list[i].device, out);
	return n < 0 ? n : 0;
}

/* -- volumes -- */

static int mpath_list(void *pool, vol_each each, void *arg, struct call *call,
		      struct error *err)
{
	AUTO_FREE struct map *list = NULL;
	int n = maps_list(&list, err), r = n;

	for (int i = 0; i < n && r >= 0; i++)
		r = each(arg, list[i].name);
	return r < 0 ? r : 0;
}

/* A map, and where it can be opened: udev may not have made its name below /dev/mapper
 * yet, or not have moved it. */
struct place {
	struct map map;
	char path[MAP_NAME + sizeof(DIRECTORY)];
	char *node;
};

static void place_clear(struct place *p)
{
	free(p->node);
}
#define AUTO_PLACE CLEANUP(place_clear)

static int find(const char *name, struct place *out, struct error *err)
{
	struct stat st;
	int r = maps_find(name, &out->map, err);

	if (r < 0)
		return r;
	snprintf(out->path, sizeof(out->path), DIRECTORY "/%s", name);
	if (stat(out->path, &st) < 0 || !S_ISBLK(st.st_mode) ||
	    st.st_rdev != out->map.device)
		return block_device_path(out->map.device, &out->node, err);
	out->node = strdup(out->path);
	return out->node ? 0 : error_code(err, ENOMEM, "cannot find map '%s'", name);
}

static int mpath_vol_stat(void *pool, const char *name, struct vol_stat *out,
			  struct call *call, struct error *err)
{
	AUTO_PLACE struct place p = { 0 };
	int r = find(name, &p, err);

	return r < 0 ? r : block_stat(p.node, out, err);
}

static int mpath_vol_describe(void *pool, const char *name, struct volume_spec *out,
			      struct call *call, struct error *err)
{
	AUTO_PLACE struct place p = { 0 };
	int r = find(name, &p, err);

	if (r == 0)
		r = block_describe(p.node, out, err);
	if (r < 0)
		return r;
	out->paths = p.map.paths.total;
	out->paths_up = p.map.paths.up;
	free(out->path);
	out->path = strdup(p.path);
	return out->path ? 0 : error_code(err, ENOMEM, "cannot describe map '%s'", name);
}

static int mpath_vol_wipe(void *pool, const char *name, const char *algorithm,
			  struct call *call, struct error *err)
{
	AUTO_PLACE struct place p = { 0 };
	int r = find(name, &p, err);

	return r < 0 ? r : block_wipe(p.node, algorithm, call, err);
}

static int mpath_vol_open(void *pool, const char *name, const char *snap, int flags,
			  struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_PLACE struct place p = { 0 };
	int r = find(name, &p, err);

	return r < 0 ? r : block_open(p.node, flags, out, err);
}

static void mpath_vol_close(void *pool, struct vol_file *f)
{
	block_close(f);
}

static int mpath_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
			   struct call *call, struct error *err)
{
	return block_fstat(f, out, err);
}

/* -- discovery -- */

/* There is one such pool at most, of all maps, and nothing to say about its source. */
static int mpath_discover(const struct pool_source *from, const struct host *host,
			  source_each each, void *arg, struct call *call,
			  struct error *err)
{
	static const struct pool_source all;
	AUTO_FREE struct map *list = NULL;
	int r = maps_check(err);

	if (r == 0)
		r = maps_list(&list, err);
	return r > 0 ? each(arg, &all) : r;
}

BACKEND_DEFINE(.type = "mpath", .volumes = VOLUMES_GIVEN, .parallel = true,
	       .start = mpath_start, .stop = mpath_stop, .detach = mpath_detach,
	       .refresh = mpath_refresh, .pool_stat = mpath_stat, .list = mpath_list,
	       .vol_stat = mpath_vol_stat, .vol_describe = mpath_vol_describe,
	       .vol_wipe = mpath_vol_wipe, .vol_open = mpath_vol_open,
	       .vol_close = mpath_vol_close, .vol_fstat = mpath_vol_fstat,
	       .discover = mpath_discover, );
