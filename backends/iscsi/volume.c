/* Volumes by name, answered from what the last scan found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iscsi/map.h"
#include "backends/iscsi/naming.h"
#include "backends/iscsi/scan.h"
#include "backends/support/clock.h"

#define FRESH_NS NS_PER_S /* of the list */

static int no_volume(const char *name, struct error *err)
{
	return error_set(err, ENOENT,
			 "there is no volume '%s': a unit's is called unit:0:0:LUN",
			 name);
}

/* -- the list -- */

struct names {
	size_t n;
	uint16_t numbers[];
};

static void answer_list(struct ask *a)
{
	struct iscsi_pool *p = a->pool;
	struct names *names;
	size_t n = 0;

	if (p->session.broken || p->session.state != SESSION_READY) {
		ask_answer(a, -EIO, p->session.error.code ? &p->session.error : NULL);
		return;
	}
	list_for_each (l, &p->luns)
		n++;
	names = calloc(1, sizeof(*names) + n * sizeof(*names->numbers));
	a->answer = names;
	list_for_each (k, &p->luns) {
		struct lun *lun = container_of(k, struct lun, link);

		if (names && !lun->hidden)
			names->numbers[names->n++] = lun->number;
	}
	ask_answer(a, names ? 0 : -ENOMEM, NULL);
}

static void run_list(struct ask *a)
{
	if (clock_now() - a->pool->scanned_ns < FRESH_NS)
		answer_list(a);
	else
		scan_and_then(a, false, answer_list);
}

int iscsi_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err)
{
	struct iscsi_pool *p = pool;
	AUTO_ASK struct ask *a = NULL;
	int r = ask(p, &(struct ask_about){ 0 }, run_list, &a, call, err);

	if (r < 0)
		return err->code
			       ? error_prefix(err, "cannot list the units of target '%s'",
					      p->target)
			       : error_code(err, -r,
					    "cannot list the units of target '%s'",
					    p->target);

	const struct names *names = a->answer;

	for (size_t i = 0; i < names->n && r >= 0; i++) {
		char name[LUN_NAME];

		lun_name(names->numbers[i], name);
		r = each(arg, name);
	}
	return r < 0 ? r : 0;
}

/* -- one of them -- */

static void answer_stat(struct ask *a)
{
	lun_stat(a->lun, a->answer);
	ask_answer(a, 0, NULL);
}

static void run_stat(struct ask *a)
{
	struct error err = { 0 };

	a->lun = lun_find(a->pool, a->about.number, &err);
	if (!a->lun)
		ask_answer(a, -err.code, &err);
	else
		map_measure(a, answer_stat);
}

int iscsi_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		   struct error *err)
{
	AUTO_ASK struct ask *a = NULL;
	uint16_t number;
	int r = lun_number(name, &number) ? 0 : no_volume(name, err);

	if (r == 0)
		r = ask(pool, &(struct ask_about){ number, .answer_size = sizeof(*out) },
			run_stat, &a, call, err);
	if (r == 0)
		*out = *(struct vol_stat *)a->answer;
	return r;
}

struct description {
	uint64_t size;
	char path[LUN_PATH], key[LUN_PATH];
};

static void answer_describe(struct ask *a)
{
	struct description *d = a->answer;

	d->size = lun_size(a->lun);
	lun_path(a->pool, a->lun, d->path);
	lun_key(a->pool, a->lun, d->key);
	ask_answer(a, 0, NULL);
}

struct named {
	struct naming naming;
	struct ask *ask;
};

/* A unit that tells nobody its name has none. */
static void on_named(struct naming *n, int result, const struct error *err)
{
	struct named *named = container_of(n, struct named, naming);
	struct ask *a = named->ask;

	if (result == -ETIMEDOUT)
		ask_answer(a, result, err);
	else
		answer_describe(a);
	free(named);
}

static void run_describe(struct ask *a)
{
	struct error err = { 0 };
	struct named *named;

	a->lun = lun_find(a->pool, a->about.number, &err);
	if (!a->lun) {
		ask_answer(a, -err.code, &err);
		return;
	}
	if (a->lun->named || a->pool->direct) {
		answer_describe(a);
		return;
	}
	named = calloc(1, sizeof(*named));
	if (!named) {
		ask_answer(a, -ENOMEM, NULL);
		return;
	}
	named->ask = a;
	naming_start(&named->naming, &a->pool->session, a->lun, false, on_named);
}

/* A unit is provisioned whole, as libvirt sees it; only what the kernel has is physical.
 */
int iscsi_vol_describe(void *pool, const char *name, struct volume_spec *out,
		       struct call *call, struct error *err)
{
	const struct iscsi_pool *p = pool;
	AUTO_ASK struct ask *a = NULL;
	const struct description *d;
	uint16_t number;
	int r = lun_number(name, &number) ? 0 : no_volume(name, err);

	if (r == 0)
		r = ask(pool, &(struct ask_about){ number, .answer_size = sizeof(*d) },
			run_describe, &a, call, err);
	if (r < 0)
		return err->code
			       ? r
			       : error_code(err, -r, "cannot describe volume '%s'", name);
	d = a->answer;
	out->has_capacity = out->has_allocation = true;
	out->capacity = out->allocation = d->size;
	out->physical = p->direct ? 0 : d->size;
	out->path = strdup(d->path);
	out->key = strdup(d->key);
	return out->path && out->key
		       ? 0
		       : error_code(err, ENOMEM, "cannot describe volume '%s'", name);
}

/* -- all of them -- */

static void run_sum(struct ask *a)
{
	struct pool_stat *st = a->answer;

	list_for_each (l, &a->pool->luns) {
		struct lun *lun = container_of(l, struct lun, link);

		if (!lun->hidden)
			st->capacity += lun_size(lun);
	}
	st->allocation = st->capacity;
	ask_answer(a, 0, NULL);
}

int iscsi_pool_stat(void *pool, struct pool_stat *out, struct call *call,
		    struct error *err)
{
	AUTO_ASK struct ask *a = NULL;
	int r = ask(pool, &(struct ask_about){ .answer_size = sizeof(*out) }, run_sum, &a,
		    call, err);

	if (r < 0)
		return r;

	const struct pool_stat *st = a->answer;

	out->capacity = st->capacity;
	out->allocation = st->allocation;
	return 0;
}
