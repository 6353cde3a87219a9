/* Takes the answers of disk-table apart. */
#include "backends/disk/disk_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8
#define CODE_MAX  4095 /* the kernel's greatest errno */

static const char *const kinds[] = {
	[DISK_PRIMARY] = "primary",
	[DISK_EXTENDED] = "extended",
	[DISK_LOGICAL] = "logical",
	[DISK_METADATA] = "metadata",
};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static const char *const formats[] = {
	"none",	      "linux",	   "fat16",	 "fat32",
	"linux-swap", "linux-lvm", "linux-raid", "extended"
};

const char *disk_kind_name(enum disk_kind kind)
{
	return kind < N_KINDS ? kinds[kind] : NULL;
}

bool disk_kind_find(const char *name, enum disk_kind *out)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (!strcmp(kinds[i], name)) {
			*out = i;
			return true;
		}
	return false;
}

bool disk_format_known(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(formats[i], name))
			return true;
	return false;
}

void disk_table_clear(struct disk_table *t)
{
	free(t->parts);
	free(t->free);
	*t = (struct disk_table){ 0 };
}

static void *copy_of(const void *from, size_t n, size_t size, bool *failed)
{
	void *to = n ? calloc(n, size) : NULL;

	if (to)
		memcpy(to, from, n * size);
	*failed |= n && !to;
	return to;
}

int disk_table_copy(const struct disk_table *from, struct disk_table *to)
{
	bool failed = false;

	*to = *from;
	to->parts = copy_of(from->parts, from->n_parts, sizeof(*to->parts), &failed);
	to->free = copy_of(from->free, from->n_free, sizeof(*to->free), &failed);
	if (!failed)
		return 0;
	disk_table_clear(to);
	return -ENOMEM;
}

const struct disk_part *disk_table_find(const struct disk_table *t, unsigned number)
{
	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].number == number)
			return &t->parts[i];
	return NULL;
}

/* -- lines -- */

struct words {
	char *at[WORDS_MAX];
	size_t n;
};

static void split(char *line, struct words *w)
{
	char *rest = NULL;

	w->n = 0;
	for (char *word = strtok_r(line, " ", &rest); word && w->n < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		w->at[w->n++] = word;
}

static bool number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end && *out <= most;
}

static bool range(struct words *w, size_t i, uint64_t size, uint64_t *start,
		  uint64_t *end)
{
	return number(w->at[i], size, start) && number(w->at[i + 1], size, end) &&
	       *start < *end;
}

/* Room for one more: as many as a power of two are there. */
static void *more(void *array, size_t n, size_t size)
{
	return n & (n - 1) ? array : reallocarray(array, n ? 2 * n : 1, size);
}

static bool take_part(struct words *w, struct disk_table *t)
{
	struct disk_part p = { 0 };
	uint64_t n;
	void *parts;

	if (w->n != 6 || t->n_parts == DISK_PARTS_MAX ||
	    !number(w->at[1], DISK_PARTS_MAX, &n) || !n ||
	    !disk_kind_find(w->at[2], &p.kind) ||
	    !range(w, 3, t->size, &p.start, &p.end) || !disk_format_known(w->at[5]) ||
	    disk_table_find(t, n))
		return false;
	parts = more(t->parts, t->n_parts, sizeof(p));
	if (!parts)
		return false;
	p.number = n;
	snprintf(p.format, sizeof(p.format), "%s", w->at[5]);
	t->parts = parts;
	t->parts[t->n_parts++] = p;
	return true;
}

static bool take_free(struct words *w, struct disk_table *t)
{
	struct disk_free f = { 0 };
	void *free_;

	if (w->n != 4 || t->n_free == DISK_PARTS_MAX ||
	    !disk_kind_find(w->at[1], &f.kind) || !range(w, 2, t->size, &f.start, &f.end))
		return false;
	free_ = more(t->free, t->n_free, sizeof(f));
	if (!free_)
		return false;
	t->free = free_;
	t->free[t->n_free++] = f;
	return true;
}

static bool take_numbers(struct words *w, uint64_t most, uint64_t out[2])
{
	return w->n == 3 && number(w->at[1], most, &out[0]) &&
	       number(w->at[2], most, &out[1]);
}

/* 1: the answer ends here. */
static int take_line(char *line, struct disk_table *t)
{
	struct words w;
	uint64_t n[2];

	split(line, &w);
	if (!w.n)
		return -EIO;
	if (!strcmp(w.at[0], "done"))
		return w.n == 1 && t->size && *t->label ? 1 : -EIO;
	if (!strcmp(w.at[0], "disk")) {
		if (!take_numbers(&w, INT64_MAX, n) || n[1] < 512 || n[1] > 1 << 20)
			return -EIO;
		t->size = n[0];
		t->sector = n[1];
		return 0;
	}
	if (!strcmp(w.at[0], "label")) {
		if (w.n != 2 || strlen(w.at[1]) >= sizeof(t->label))
			return -EIO;
		strcpy(t->label, w.at[1]);
		return 0;
	}
	if (!strcmp(w.at[0], "part"))
		return take_part(&w, t) ? 0 : -EIO;
	if (!strcmp(w.at[0], "free"))
		return take_free(&w, t) ? 0 : -EIO;
	if (strcmp(w.at[0], "next") || !take_numbers(&w, DISK_PARTS_MAX, n))
		return -EIO;
	t->next = n[0];
	t->next_logical = n[1];
	return 0;
}

/* What it tells comes from a library that has read the disk: no control characters. */
static int told(const char *line, struct error *err)
{
	char text[400], *end;
	long code = strtol(line, &end, 10);

	if (end == line || *end != ' ' || code <= 0 || code > CODE_MAX)
		return -EIO;
	snprintf(text, sizeof(text), "%s", end + 1);
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	return error_set(err, code, "%s", text);
}

static int take_lines(char *text, struct disk_table *t, struct error *err)
{
	char *line = text, *end;
	int r = 0;

	for (; r == 0 && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!strncmp(line, "error ", 6)) {
			r = told(line + 6, err);
			if (r < 0 && err->code)
				return r;
			break;
		}
		r = take_line(line, t);
	}
	if (r == 1 && !*line)
		return 0;
	return error_set(
		err, EIO,
		"the program disk-table answers what nobody understands: is it of "
		"another version than this storagefs?");
}

int disk_table_parse(const char *text, struct disk_table *out, struct error *err)
{
	AUTO_FREE char *copy = strdup(text);
	AUTO_TABLE struct disk_table t = { 0 };
	struct error told_ = { 0 };
	int r;

	if (!copy)
		return error_code(err, ENOMEM, "cannot read a table of partitions");
	r = take_lines(copy, &t, &told_);
	if (r < 0)
		return error_copy(err, &told_);
	*out = t;
	t = (struct disk_table){ 0 };
	return 0;
}
