/* Payloads in pieces. */
#include "backends/sheepdog/sheep_slice.h"

#include <string.h>
#include <sys/param.h>

int slice_iov(const struct sheep_slice *s, size_t done, struct iovec *out, int n)
{
	size_t skip = s->skip + done, left = s->len - done;
	int count = 0;

	for (int i = 0; s->iov && i < s->iovcnt && left && count < n; i++) {
		const struct iovec *v = &s->iov[i];

		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}

		size_t len = MIN(v->iov_len - skip, left);

		out[count++] = (struct iovec){ (char *)v->iov_base + skip, len };
		left -= len;
		skip = 0;
	}
	return count;
}

void slice_fill(const struct sheep_slice *s, size_t done, const void *from, size_t len)
{
	struct iovec v;

	while (len && slice_iov(s, done, &v, 1)) {
		size_t some = MIN(v.iov_len, len);

		memcpy(v.iov_base, from, some);
		from = (const char *)from + some;
		done += some;
		len -= some;
	}
}

void slice_clear(const struct sheep_slice *s)
{
	struct iovec v;

	for (size_t done = 0; slice_iov(s, done, &v, 1); done += v.iov_len)
		memset(v.iov_base, 0, v.iov_len);
}

void slice_copy(const struct sheep_slice *s, void *to)
{
	struct iovec v;

	for (size_t done = 0; slice_iov(s, done, &v, 1); done += v.iov_len)
		memcpy((char *)to + done, v.iov_base, v.iov_len);
}
