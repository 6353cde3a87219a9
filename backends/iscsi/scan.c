/*
 * Scans: REPORT LUNS, then of each unit at once INQUIRY and READ CAPACITY, and its name
 * where somebody knew that. What they find is compared with what was known, and the host
 * is told.
 *
 * Whether a unit is ready is asked when it is opened, and its name when that is needed:
 * nobody waits for them to see a list.
 */
#include "backends/iscsi/scan.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iscsi/naming.h"
#include "backends/support/clock.h"

#define LIST_BYTES     4104 /* of 512 units; larger lists are asked for again */
#define LIST_BYTES_MAX (8 + 8 * 65536)
#define PROBE_NS       (5 * NS_PER_S)
#define PAGE_BYTES     252

struct scan {
	struct iscsi_pool *pool;
	bool whole;
	uint32_t bytes;
	struct command list;
	struct list probes, asks;
	unsigned left; /* commands of the probes */
};

/* One unit as it is found now. */
struct probe {
	struct list link;
	struct scan *scan;
	struct lun *lun;
	bool names_it; /* it has to be known whether it still is the same */
	struct command inquiry, capacity;
	struct naming naming;
};

static void scan_begin(struct scan *s);

/* -- the end -- */

static void answer_asks(struct list *asks)
{
	for (struct list *l; (l = list_shift(asks));) {
		struct ask *a = container_of(l, struct ask, link);

		a->then(a);
	}
}

static void free_probes(struct scan *s)
{
	for (struct list *l; (l = list_shift(&s->probes));) {
		struct probe *probe = container_of(l, struct probe, link);

		lun_unref(probe->lun);
		free(probe);
	}
}

static void scan_end(struct scan *s)
{
	struct iscsi_pool *p = s->pool;
	struct list asks = LIST_INIT(asks);

	for (struct list *l; (l = list_shift(&s->asks));)
		list_append(&asks, l);
	free_probes(s);
	free(s);
	p->scan = NULL;
	if (p->scan_again && !p->session.broken)
		scan_start(p, true);
	p->scan_again = false;
	answer_asks(&asks);
}

/* -- comparing -- */

static void tell(struct iscsi_pool *p, enum change change, uint16_t number)
{
	char name[LUN_NAME];

	if (p->session.first)
		return; /* the pool is not running yet */
	lun_name(number, name);
	p->host.changed(p->host.ctx, change, name);
}

static void tell_bad(struct iscsi_pool *p, const struct lun *lun)
{
	char name[LUN_NAME];

	lun_name(lun->number, name);
	if (lun->error.code)
		p->host.failed(p->host.ctx, name, &lun->error);
}

static void remove_lun(struct iscsi_pool *p, struct lun *lun, const char *why)
{
	bool shown = !lun->hidden;

	list_remove(&lun->link);
	lun->gone = true;
	error_set(&lun->error, ENXIO, "unit %u of target '%s' %s", lun->number, p->target,
		  why);
	if (shown)
		tell(p, CHANGE_REMOVED, lun->number);
	lun_unref(lun);
}

static void add_lun(struct iscsi_pool *p, struct lun *lun)
{
	lun->ident = ++p->last_ident;
	list_append(&p->luns, &lun_ref(lun)->link);
	if (lun->hidden)
		return;
	tell(p, CHANGE_ADDED, lun->number);
	tell_bad(p, lun);
}

/* What is bad now, or always was, is not known to be another. */
static bool is_another(const struct lun *lun, const struct lun *now)
{
	if (now->error.code || !lun->capacity.block_size)
		return false;
	if (lun->named && now->named && strcmp(lun->wwid, now->wwid))
		return true;
	return lun->hidden != now->hidden ||
	       lun->capacity.block_size != now->capacity.block_size;
}

static void update_lun(struct iscsi_pool *p, struct lun *lun, const struct lun *now)
{
	bool changed = lun_size(lun) != lun_size(now) ||
		       strcmp(lun->error.text, now->error.text);

	lun->error = now->error;
	if (!now->error.code) {
		lun->inquiry = now->inquiry;
		lun->hidden = now->hidden;
		lun->capacity = now->capacity;
	}
	if (!changed || lun->hidden)
		return;
	lun->mapped_ns = 0;
	tell(p, CHANGE_DATA, lun->number);
	tell_bad(p, lun);
}

static bool was_found(const struct scan *s, uint16_t number)
{
	list_for_each (l, &s->probes)
		if (container_of(l, struct probe, link)->lun->number == number)
			return true;
	return false;
}

static void compare(struct scan *s)
{
	struct iscsi_pool *p = s->pool;

	list_for_each (l, &p->luns) {
		struct lun *lun = container_of(l, struct lun, link);

		if (!was_found(s, lun->number))
			remove_lun(p, lun, "was removed from the target");
	}
	list_for_each (k, &s->probes) {
		struct lun *now = container_of(k, struct probe, link)->lun;
		struct lun *lun = lun_at(p, now->number);

		if (lun && is_another(lun, now)) {
			remove_lun(p, lun, "is another one now: open it anew");
			lun = NULL;
		}
		if (lun)
			update_lun(p, lun, now);
		else
			add_lun(p, now);
	}
}

static void scan_found(struct scan *s)
{
	struct iscsi_pool *p = s->pool;

	if (!p->session.broken) {
		compare(s);
		p->scanned_ns = clock_now();
		if (p->session.state == SESSION_EARLY)
			session_ready(&p->session);
	}
	scan_end(s);
}

/* -- one unit -- */

static void scan_send(struct scan *s, struct command *c)
{
	c->early = true;
	c->deadline_ns = clock_now() + PROBE_NS;
	session_send(&s->pool->session, c);
}

static void probed(struct scan *s)
{
	if (--s->left == 0)
		scan_found(s);
}

static void fail(struct probe *probe, const struct error *err, const char *what)
{
	struct lun *lun = probe->lun;

	if (lun->error.code)
		return;
	lun->error = *err;
	error_prefix(&lun->error, "unit %u of target '%s' %s", lun->number,
		     probe->scan->pool->target, what);
}

static void on_named(struct naming *n, int result, const struct error *err)
{
	struct probe *probe = container_of(n, struct probe, naming);

	if (result < 0)
		fail(probe, err, "does not tell its name");
	probed(probe->scan);
}

static void on_inquiry(struct command *c, int result, const struct error *err)
{
	struct probe *probe = container_of(c, struct probe, inquiry);
	struct lun *lun = probe->lun;
	size_t len;
	const uint8_t *data = command_data(c, &len);

	if (result < 0)
		fail(probe, err, "does not say what it is");
	else if (decode_inquiry(data, len, &lun->inquiry))
		lun->hidden = lun->inquiry.qualifier == 3 ||
			      (lun->inquiry.type != 0x00 && lun->inquiry.type != 0x05 &&
			       lun->inquiry.type != 0x07 && lun->inquiry.type != 0x0e);
	if (probe->names_it) /* the inquiry is part of some names */
		naming_start(&probe->naming, &probe->scan->pool->session, lun, true,
			     on_named);
	else
		probed(probe->scan);
}

static void on_capacity(struct command *c, int result, const struct error *err)
{
	struct probe *probe = container_of(c, struct probe, capacity);
	struct error bad = { 0 };
	size_t len;
	const uint8_t *data = command_data(c, &len);

	if (result < 0) {
		fail(probe, err, "does not tell its size");
	} else if (!decode_capacity(data, len, &probe->lun->capacity)) {
		error_set(&bad, EIO, "that is none a disk can have");
		fail(probe, &bad, "tells a strange size");
	}
	probed(probe->scan);
}

static void probe_send(struct probe *probe)
{
	struct scan *s = probe->scan;
	uint16_t n = probe->lun->number;

	command_init(&probe->inquiry, n, scsi_cdb_inquiry(0, 0, PAGE_BYTES), on_inquiry);
	command_init(&probe->capacity, n, scsi_cdb_readcapacity16(), on_capacity);
	scan_send(s, &probe->inquiry);
	scan_send(s, &probe->capacity);
}

static bool probe_add(struct scan *s, uint16_t number)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	struct lun *lun = probe ? lun_new(number) : NULL, *known;

	if (!lun) {
		free(probe);
		return false;
	}
	known = lun_at(s->pool, number);
	probe->scan = s;
	probe->lun = lun;
	probe->names_it = known && known->named;
	list_append(&s->probes, &probe->link);
	return true;
}

/* -- the list -- */

static bool is_known(const struct scan *s, const uint16_t *numbers, size_t n)
{
	size_t known = 0;

	list_for_each (l, &s->pool->luns)
		known++;
	if (known != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!lun_at(s->pool, numbers[i]))
			return false;
	return true;
}

static void probe_all(struct scan *s, const uint16_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!was_found(s, numbers[i]) && probe_add(s, numbers[i]))
			s->left += 2;
	s->left++;
	list_for_each (l, &s->probes)
		probe_send(container_of(l, struct probe, link));
	probed(s); /* it has none, or their commands ended at once */
}

static void list_failed(struct scan *s, const struct error *err)
{
	struct session *session = &s->pool->session;
	struct error e = *err;

	error_prefix(&e, "cannot list the units of target '%s'", s->pool->target);
	if (session->state == SESSION_EARLY && !session->broken)
		session_fail(session, &e);
	scan_end(s);
}

static void on_list(struct command *c, int result, const struct error *err)
{
	struct scan *s = container_of(c, struct scan, list);
	size_t len;
	const uint8_t *data = command_data(c, &len);
	size_t bytes = decode_luns_size(data, len);

	if (result < 0) {
		list_failed(s, err);
		return;
	}
	if (bytes > s->bytes && s->bytes < LIST_BYTES_MAX) {
		s->bytes = bytes < LIST_BYTES_MAX ? bytes : LIST_BYTES_MAX;
		scan_begin(s);
		return;
	}

	AUTO_FREE uint16_t *numbers = calloc(s->bytes / 8, sizeof(*numbers));
	struct error no_memory = { .code = ENOMEM, .text = "out of memory" };
	size_t n;

	if (!numbers) {
		list_failed(s, &no_memory);
		return;
	}
	n = decode_luns(data, len, numbers, s->bytes / 8);
	if (!s->whole && is_known(s, numbers, n)) {
		s->pool->scanned_ns = clock_now();
		scan_end(s);
		return;
	}
	probe_all(s, numbers, n);
}

static void scan_begin(struct scan *s)
{
	command_init(&s->list, 0,
		     scsi_reportluns_cdb(SCSI_REPORTLUNS_REPORT_ALL_LUNS, s->bytes),
		     on_list);
	scan_send(s, &s->list);
}

static struct scan *scan_new(struct iscsi_pool *p, bool whole)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pool = p;
	s->whole = whole;
	s->bytes = LIST_BYTES;
	list_init(&s->probes);
	list_init(&s->asks);
	p->scan = s;
	return s;
}

void scan_start(struct iscsi_pool *p, bool whole)
{
	struct error err = { 0 };

	if (p->scan) {
		p->scan_again |= whole;
	} else if (scan_new(p, whole)) {
		scan_begin(p->scan);
	} else {
		error_code(&err, ENOMEM, "cannot list the units");
		if (p->session.state == SESSION_EARLY)
			session_fail(&p->session, &err);
	}
}

void scan_and_then(struct ask *a, bool whole, void (*then)(struct ask *))
{
	struct iscsi_pool *p = a->pool;
	bool begins = !p->scan;

	a->then = then;
	if (begins && !scan_new(p, whole)) {
		then(a);
		return;
	}
	list_append(&p->scan->asks, &a->link);
	if (begins)
		scan_begin(p->scan);
}
