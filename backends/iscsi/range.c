/* Ranges of blocks and slices of memory. */
#include "backends/iscsi/range.h"

#include <string.h>
#include <sys/param.h>

struct range range_of(uint64_t off, uint64_t len, uint32_t block_size)
{
	uint64_t end = off + len;

	return (struct range){
		.first = off / block_size,
		.end = end / block_size + (end % block_size != 0),
		.alone = off % block_size || end % block_size,
	};
}

static bool conflict(const struct range *a, const struct range *b)
{
	return (a->alone || b->alone) && a->first < b->end && b->first < a->end;
}

/* Whether it has to wait for any that comes before `until` in the list. */
static bool is_blocked(const struct list *head, const struct list *until,
		       const struct range *r)
{
	for (const struct list *l = head->next; l != head && l != until; l = l->next)
		if (conflict(container_of(l, struct range, link), r))
			return true;
	return false;
}

bool range_enter(struct list *writing, struct list *blocked, struct range *r)
{
	bool waits = is_blocked(writing, NULL, r) || is_blocked(blocked, NULL, r);

	list_append(waits ? blocked : writing, &r->link);
	return !waits;
}

void range_leave(struct range *r)
{
	list_remove(&r->link);
}

struct range *range_next(struct list *writing, struct list *blocked)
{
	list_for_each (l, blocked) {
		struct range *r = container_of(l, struct range, link);

		if (is_blocked(writing, NULL, r) || is_blocked(blocked, l, r))
			continue;
		list_remove(l);
		list_append(writing, l);
		return r;
	}
	return NULL;
}

size_t iov_slice(const struct iovec *iov, size_t n, size_t skip, size_t len,
		 struct iovec *out)
{
	size_t made = 0;

	for (size_t i = 0; i < n && len; i++) {
		size_t here = MIN(iov[i].iov_len - MIN(skip, iov[i].iov_len), len);

		if (here)
			out[made++] =
				(struct iovec){ (char *)iov[i].iov_base + skip, here };
		skip -= MIN(skip, iov[i].iov_len);
		len -= here;
	}
	return made;
}

size_t iov_length(const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

void iov_gather(const struct iovec *iov, size_t n, void *to)
{
	for (size_t i = 0, at = 0; i < n; at += iov[i++].iov_len)
		memcpy((char *)to + at, iov[i].iov_base, iov[i].iov_len);
}

void iov_scatter(const struct iovec *iov, size_t n, const void *from, size_t len)
{
	for (size_t i = 0, at = 0; i < n && at < len; i++) {
		size_t here = MIN(iov[i].iov_len, len - at);

		memcpy(iov[i].iov_base, (const char *)from + at, here);
		at += here;
	}
}
