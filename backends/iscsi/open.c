/* Opening units: what they can do is asked when they are opened, not for all of a list.
 */
#include "backends/iscsi/open.h"

#include <errno.h>
#include <fcntl.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <sys/param.h>

#include "backends/iscsi/map.h"
#include "backends/iscsi/naming.h"
#include "backends/iscsi/scan.h"
#include "backends/support/clock.h"

#define LOOK_NS	   (5 * NS_PER_S)
#define TIMEOUT_NS (30 * NS_PER_S) /* where the caller has none */
#define PAGE_BYTES 252
#define PIECE_MAX  (512u << 10)

/* -- what the unit can do -- */

struct look {
	struct ask *ask;
	struct command ready, mode, limits, provisioning;
	struct naming naming;
	unsigned left;
	struct error error;
};

struct opened {
	uint32_t block_size, piece;
};

static uint32_t piece_of(const struct lun *lun)
{
	uint64_t limit = (uint64_t)lun->limits.transfer * lun->capacity.block_size;

	return MAX(limit ? MIN(limit, PIECE_MAX) : PIECE_MAX, lun->capacity.block_size);
}

static void looked(struct look *look)
{
	struct ask *a = look->ask;

	if (--look->left)
		return;
	if (!look->error.code && a->about.how != O_RDONLY && a->lun->mode.read_only)
		error_set(&look->error, EROFS, "unit %u of target '%s' is read-only",
			  a->lun->number, a->pool->target);
	*(struct opened *)a->answer = (struct opened){
		.block_size = a->lun->capacity.block_size,
		.piece = piece_of(a->lun),
	};
	ask_answer(a, -look->error.code, &look->error);
	free(look);
}

static void on_ready(struct command *c, int result, const struct error *err)
{
	struct look *look = container_of(c, struct look, ready);

	if (result < 0) {
		look->error = *err;
		error_prefix(&look->error, "cannot open unit %u of target '%s'", c->lun,
			     look->ask->pool->target);
	}
	looked(look);
}

/* The rest are things that a unit need not tell. */
static void on_mode(struct command *c, int result, const struct error *err)
{
	struct look *look = container_of(c, struct look, mode);
	size_t len;
	const uint8_t *data = command_data(c, &len);
	struct mode mode;

	if (result < 0 || !decode_mode(data, len, &mode))
		mode = (struct mode){ .write_cache = true };
	look->ask->lun->mode = mode;
	looked(look);
}

static void on_limits(struct command *c, int result, const struct error *err)
{
	struct look *look = container_of(c, struct look, limits);
	size_t len;
	const uint8_t *data = command_data(c, &len);

	decode_block_limits(data, result < 0 ? 0 : len, &look->ask->lun->limits);
	looked(look);
}

static void on_provisioning(struct command *c, int result, const struct error *err)
{
	struct look *look = container_of(c, struct look, provisioning);
	size_t len;
	const uint8_t *data = command_data(c, &len);

	decode_provisioning(data, result < 0 ? 0 : len, &look->ask->lun->provisioning);
	looked(look);
}

/* So that it is noticed when another one takes its number while it is open. */
static void on_named(struct naming *n, int result, const struct error *err)
{
	looked(container_of(n, struct look, naming));
}

static void look_send(struct look *look, struct command *c)
{
	c->deadline_ns = clock_now() + LOOK_NS;
	session_send(&look->ask->pool->session, c);
}

static void look_at(struct ask *a)
{
	struct look *look = calloc(1, sizeof(*look));
	uint16_t n = a->lun->number;

	if (!look) {
		ask_answer(a, -ENOMEM, NULL);
		return;
	}
	look->ask = a;
	look->left = 5;
	command_init(&look->ready, n, scsi_cdb_testunitready(), on_ready);
	command_init(&look->mode, n,
		     scsi_cdb_modesense6(1, SCSI_MODESENSE_PC_CURRENT,
					 SCSI_MODEPAGE_CACHING, 0, PAGE_BYTES),
		     on_mode);
	command_init(&look->limits, n,
		     scsi_cdb_inquiry(1, SCSI_INQUIRY_PAGECODE_BLOCK_LIMITS, PAGE_BYTES),
		     on_limits);
	command_init(&look->provisioning, n,
		     scsi_cdb_inquiry(1, SCSI_INQUIRY_PAGECODE_LOGICAL_BLOCK_PROVISIONING,
				      PAGE_BYTES),
		     on_provisioning);
	look_send(look, &look->ready);
	look_send(look, &look->mode);
	look_send(look, &look->limits);
	look_send(look, &look->provisioning);
	if (a->lun->named)
		looked(look);
	else
		naming_start(&look->naming, &a->pool->session, a->lun, false, on_named);
}

/* -- opening -- */

/* The one of that number now; one that is still bad is not opened. */
static void open_scanned(struct ask *a)
{
	struct error err = { 0 };

	lun_unref(a->lun);
	a->lun = lun_find(a->pool, a->about.number, &err);
	if (a->lun && !a->lun->error.code)
		look_at(a);
	else
		ask_answer(a, a->lun ? -a->lun->error.code : -err.code,
			   a->lun ? &a->lun->error : &err);
}

static void run_open(struct ask *a)
{
	struct error err = { 0 };

	a->lun = lun_find(a->pool, a->about.number, &err);
	if (!a->lun)
		ask_answer(a, -err.code, &err);
	else if (a->lun->error.code)
		scan_and_then(a, true, open_scanned);
	else
		look_at(a);
}

static uint64_t timeout_of(const struct call *call)
{
	uint64_t now = clock_now();

	return call->deadline_ns > now ? call->deadline_ns - now : TIMEOUT_NS;
}

int iscsi_vol_open(void *pool, const char *name, const char *snap, int flags,
		   struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_FREE struct open_lun *o = calloc(1, sizeof(*o));
	struct ask_about about = { .how = flags & O_ACCMODE,
				   .answer_size = sizeof(struct opened) };
	AUTO_ASK struct ask *a = NULL;
	int r = 0;

	if (!lun_number(name, &about.number))
		return error_set(err, ENOENT, "there is no volume '%s'", name);
	if (snap)
		return error_set(err, EOPNOTSUPP,
				 "the units of a target have no snapshots");
	if (o)
		r = ask(pool, &about, run_open, &a, call, err);
	if (r < 0 || !o)
		return err->code ? -err->code
				 : error_code(err, o ? -r : ENOMEM, "cannot open '%s'",
					      name);

	const struct opened *is = a->answer;

	o->pool = pool;
	o->lun = lun_ref(a->lun);
	o->block_size = is->block_size;
	o->piece = is->piece;
	o->timeout_ns = timeout_of(call);
	pthread_mutex_init(&o->lock, NULL);
	list_init(&o->transfers);
	*out = (struct vol_file){ .vol = take(o), .fd = -1 };
	return 0;
}

void iscsi_vol_close(void *pool, struct vol_file *f)
{
	struct open_lun *o = f->vol;

	lun_unref(o->lun);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void answer_fstat(struct ask *a)
{
	lun_stat(a->lun, a->answer);
	ask_answer(a, 0, NULL);
}

static void run_fstat(struct ask *a)
{
	map_measure(a, answer_fstat);
}

int iscsi_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		    struct call *call, struct error *err)
{
	const struct open_lun *o = f->vol;
	struct ask_about about = { .lun = o->lun, .answer_size = sizeof(*out) };
	AUTO_ASK struct ask *a = NULL;
	int r = ask(pool, &about, run_fstat, &a, call, err);

	if (r == 0)
		*out = *(struct vol_stat *)a->answer;
	return r;
}
