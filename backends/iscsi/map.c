/*
 * Extent maps. A unit that is thin, and reads as zeros where nothing is provisioned, has
 * holes; all of any other is data.
 */
#include "backends/iscsi/map.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <sys/param.h>
#include <unistd.h>

#include "backends/iscsi/open.h"
#include "backends/support/clock.h"

#define RANGES	     256 /* asked for at a time */
#define STATUS_BYTES (8 + 16 * RANGES)
#define MEASURE_MAX  64 /* questions for one count */
#define FRESH_NS     NS_PER_S
#define MEASURE_NS   (2 * NS_PER_S)
#define SEEK_NS	     (30 * NS_PER_S)

/* Block by block through a unit, as long as `step` wants more. */
struct walk {
	struct command command;
	struct ask *ask;
	uint64_t at; /* block */
	uint64_t until_ns;
	unsigned asked;
	uint64_t count; /* of a measure */
	bool (*step)(struct walk *,
		     const struct blocks *);		  /* true: it has what it wants */
	void (*end)(struct walk *, const struct error *); /* NULL: all was said */
};

static bool has_map(const struct lun *lun)
{
	return lun->capacity.thin && lun->capacity.zeroes && !lun->no_map &&
	       !lun->error.code;
}

static void walk_end(struct walk *w, const struct error *err)
{
	w->end(w, err);
	free(w);
}

static void walk_on(struct walk *w);

static void on_status(struct command *c, int result, const struct error *err)
{
	struct walk *w = container_of(c, struct walk, command);
	struct error silent = { .code = EIO,
				.text = "the unit tells nothing of its blocks" };
	struct blocks ranges[RANGES];
	size_t len, n;
	const uint8_t *data = command_data(c, &len);

	if (result < 0) {
		w->ask->lun->no_map |= result == -EOPNOTSUPP;
		walk_end(w, err);
		return;
	}
	n = decode_lba_status(data, len, w->at, ranges, RANGES);
	if (!n) {
		w->ask->lun->no_map = true;
		walk_end(w, &silent);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (w->step(w, &ranges[i])) {
			walk_end(w, NULL);
			return;
		}
		w->at = ranges[i].first + ranges[i].count;
	}
	walk_on(w);
}

static void walk_on(struct walk *w)
{
	struct lun *lun = w->ask->lun;

	if (w->at >= lun->capacity.blocks || loop_call_abandoned(&w->ask->call)) {
		walk_end(w, NULL);
		return;
	}
	w->asked++;
	command_init(&w->command, lun->number,
		     scsi_cdb_get_lba_status(w->at, STATUS_BYTES), on_status);
	w->command.deadline_ns = w->until_ns;
	session_send(&w->ask->pool->session, &w->command);
}

static struct walk *walk_new(struct ask *a, uint64_t ns)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->ask = a;
	w->until_ns = clock_now() + ns;
	return w;
}

/* -- how much -- */

static bool add_blocks(struct walk *w, const struct blocks *b)
{
	if (b->provisioned)
		w->count += b->count;
	w->at = b->first + b->count;
	return w->asked >= MEASURE_MAX;
}

static void measured(struct walk *w, const struct error *err)
{
	struct ask *a = w->ask;
	const struct capacity *c = &a->lun->capacity;
	uint64_t rest = w->at < c->blocks ? c->blocks - w->at : 0;

	if (!err) {
		a->lun->allocated = MIN(w->count + rest, c->blocks) * c->block_size;
		a->lun->mapped_ns = clock_now();
	}
	a->then(a);
}

void map_measure(struct ask *a, void (*then)(struct ask *))
{
	struct lun *lun = a->lun;
	bool fresh = lun->mapped_ns && clock_now() - lun->mapped_ns < FRESH_NS;
	struct walk *w = fresh || !has_map(lun) ? NULL : walk_new(a, MEASURE_NS);

	a->then = then;
	if (!w) {
		then(a);
		return;
	}
	w->step = add_blocks;
	w->end = measured;
	walk_on(w);
}

/* -- where -- */

static bool is_sought(struct walk *w, const struct blocks *b)
{
	return b->mapped == (w->ask->about.how == SEEK_DATA);
}

static void found(struct walk *w, const struct error *err)
{
	struct ask *a = w->ask;
	const struct lun *lun = a->lun;
	uint64_t at = w->at * lun->capacity.block_size, size = lun_size(lun);
	off_t *answer = a->answer;

	if (err && !lun->no_map) {
		ask_answer(a, -err->code, err);
		return;
	}
	if (err) /* from there on nothing is said: data */
		at = a->about.how == SEEK_DATA ? at : size;
	*answer = MIN(MAX(at, a->about.off), size);
	ask_answer(a, a->about.how == SEEK_DATA && at >= size ? -ENXIO : 0, NULL);
}

static void run_seek(struct ask *a)
{
	struct lun *lun = a->lun;
	uint64_t size = lun_size(lun);
	struct walk *w;

	if (lun->gone || a->about.off >= size) {
		ask_answer(a, lun->gone ? -lun->error.code : -ENXIO,
			   lun->gone ? &lun->error : NULL);
		return;
	}
	if (!has_map(lun)) {
		*(off_t *)a->answer = a->about.how == SEEK_DATA ? a->about.off : size;
		ask_answer(a, 0, NULL);
		return;
	}
	w = walk_new(a, SEEK_NS);
	if (!w) {
		ask_answer(a, -ENOMEM, NULL);
		return;
	}
	w->at = a->about.off / lun->capacity.block_size;
	w->step = is_sought;
	w->end = found;
	walk_on(w);
}

off_t iscsi_vol_seek(void *vol, off_t off, int whence, struct call *call,
		     struct error *err)
{
	struct open_lun *o = vol;
	struct ask_about about = {
		.lun = o->lun, .off = off, .how = whence, .answer_size = sizeof(off_t)
	};
	AUTO_ASK struct ask *a = NULL;
	int r = off < 0 ? -ENXIO : ask(o->pool, &about, run_seek, &a, call, err);

	if (r < 0 && r != -ENXIO && !err->code)
		return error_code(err, -r, "cannot look for data in a unit");
	return r < 0 ? r : *(off_t *)a->answer;
}
