/* Units: objects, names, paths and keys. */
#include "backends/iscsi/lun.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX	"unit:0:0:"
#define IO_SIZE (1u << 20) /* some commands at once */

struct lun *lun_new(uint16_t number)
{
	struct lun *lun = calloc(1, sizeof(*lun));

	if (!lun)
		return NULL;
	lun->number = number;
	atomic_init(&lun->refs, 1);
	list_init(&lun->link);
	list_init(&lun->writing);
	list_init(&lun->blocked);
	return lun;
}

struct lun *lun_ref(struct lun *lun)
{
	atomic_fetch_add_explicit(&lun->refs, 1, memory_order_relaxed);
	return lun;
}

void lun_unref(struct lun *lun)
{
	if (lun && atomic_fetch_sub(&lun->refs, 1) == 1)
		free(lun);
}

void lun_name(uint16_t number, char name[LUN_NAME])
{
	snprintf(name, LUN_NAME, PREFIX "%u", number);
}

bool lun_number(const char *name, uint16_t *number)
{
	const char *digits = name + strlen(PREFIX);
	char again[LUN_NAME];
	unsigned long n;

	if (strncmp(name, PREFIX, strlen(PREFIX)) || !isdigit((unsigned char)*digits))
		return false;
	n = strtoul(digits, NULL, 10);
	if (n > UINT16_MAX)
		return false;
	*number = n;
	lun_name(*number, again);
	return !strcmp(name, again);
}

struct lun *lun_at(struct iscsi_pool *p, uint16_t number)
{
	list_for_each (l, &p->luns) {
		struct lun *lun = container_of(l, struct lun, link);

		if (lun->number == number)
			return lun;
	}
	return NULL;
}

struct lun *lun_find(struct iscsi_pool *p, uint16_t number, struct error *err)
{
	struct lun *lun = lun_at(p, number);
	char name[LUN_NAME];

	if (lun && !lun->hidden)
		return lun_ref(lun);
	lun_name(number, name);
	error_set(err, ENOENT, "the target '%s' has no volume '%s'", p->target, name);
	return NULL;
}

uint64_t lun_size(const struct lun *lun)
{
	return lun->capacity.blocks * lun->capacity.block_size;
}

void lun_stat(const struct lun *lun, struct vol_stat *out)
{
	*out = (struct vol_stat){
		.size = lun_size(lun),
		.allocated = lun->mapped_ns ? lun->allocated : lun_size(lun),
		.ident = lun->ident,
		.io_size = IO_SIZE,
	};
}

/* -- paths and keys -- */

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* For iscsi the links that udev makes: in /dev/disk/by-path numbers above 255 are in
 * hexadecimal, all eight bytes of them. */
void lun_path(const struct iscsi_pool *p, const struct lun *lun, char out[LUN_PATH])
{
	if (p->direct)
		snprintf(out, LUN_PATH, "ip-%s-iscsi-%s-lun-%u", p->portal, p->target,
			 lun->number);
	else if (ends_in(p->dir, "/by-id") && *lun->wwid)
		snprintf(out, LUN_PATH, "%s/scsi-%s", p->dir, lun->wwid);
	else if (lun->number < 256)
		snprintf(out, LUN_PATH, "%s/ip-%s-iscsi-%s-lun-%u", p->dir, p->portal,
			 p->target, lun->number);
	else
		snprintf(out, LUN_PATH, "%s/ip-%s-iscsi-%s-lun-0x%04x000000000000",
			 p->dir, p->portal, p->target, lun->number);
}

void lun_key(const struct iscsi_pool *p, const struct lun *lun, char out[LUN_PATH])
{
	if (!p->direct && *lun->wwid)
		snprintf(out, LUN_PATH, "%s", lun->wwid);
	else
		lun_path(p, lun, out);
}
