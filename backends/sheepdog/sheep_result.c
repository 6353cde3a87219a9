/* What a sheep's result codes mean: an errno, and words for an administrator. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/sheepdog/sheep_proto.h"

static const struct meaning {
	uint8_t result;
	bool passing; /* worth another try */
	int code;
	const char *text;
} meanings[] = {
	{ 0x01, false, EIO, "unknown error" },
	{ SHEEP_NO_OBJ, false, EIO, "an object is missing in the cluster" },
	{ 0x03, false, EIO, "I/O error of a sheep's disk: see the log of the sheep" },
	{ SHEEP_VDI_EXIST, false, EEXIST, "a VDI of that name exists" },
	{ SHEEP_INVALID, false, EINVAL, "the sheep does not accept the request" },
	{ 0x06, false, EIO, "system error of the sheep: see its log" },
	{ SHEEP_VDI_LOCKED, false, EBUSY, "the VDI is locked by another client" },
	{ SHEEP_NO_VDI, false, ENOENT, "there is no such VDI" },
	{ 0x09, false, ENOENT, "the VDI that it is to be made from does not exist" },
	{ 0x0a, false, EIO, "the VDI's inode cannot be read" },
	{ 0x0b, false, EIO, "the VDI's inode cannot be written" },
	{ 0x0c, false, EIO, "the parent's inode cannot be read" },
	{ 0x0d, false, EIO, "the parent's inode cannot be written" },
	{ SHEEP_NO_TAG, false, ENOENT, "there is no such snapshot" },
	{ 0x0f, true, EAGAIN, "the sheep is starting" },
	{ 0x11, false, EAGAIN, "the cluster is being shut down" },
	{ 0x12, false, ENOMEM, "the sheep is out of memory" },
	{ 0x13, false, ENOSPC, "the cluster has no number left for another VDI" },
	{ SHEEP_VER_MISMATCH, false, EOPNOTSUPP,
	  "the sheep does not speak the protocol of Sheepdog 1.0" },
	{ 0x15, false, ENOSPC, "the cluster has no space left" },
	{ 0x16, false, ENODEV,
	  "the cluster is not formatted yet: run 'dog cluster format' once" },
	{ 0x17, true, EAGAIN, "the cluster waits for more of its nodes" },
	{ 0x18, false, EIO, "the sheep could not join its cluster" },
	{ 0x19, false, EAGAIN,
	  "the cluster has stopped, since too few of its nodes are left" },
	{ SHEEP_READONLY, false, EROFS,
	  "the cluster holds the VDI for a snapshot and takes no writes to it; one that "
	  "was "
	  "cloned without a snapshot stays so until the cluster is restarted" },
	{ SHEEP_CHANGED, true, EIO, "other clients keep changing it" },
	{ 0x81, true, EAGAIN, "the cluster's members are changing" },
	{ 0x82, true, EAGAIN, "the cluster's members are changing" },
	{ 0x86, true, EIO, "network error between the sheep" },
	{ 0x8f, true, EAGAIN, "the sheep asks to try again" },
	{ 0x95, true, EAGAIN, "the sheep still learns about its cluster" },
};

static const struct meaning *find(uint32_t result)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].result == result)
			return &meanings[i];
	return NULL;
}

bool sheep_is_passing(uint32_t result)
{
	const struct meaning *m = find(result);

	return m && m->passing;
}

int sheep_failure(uint32_t result, struct error *err, const char *tried, ...)
{
	const struct meaning *m = find(result);
	char what[300];
	va_list ap;

	va_start(ap, tried);
	vsnprintf(what, sizeof(what), tried, ap);
	va_end(ap);
	if (m)
		return error_set(err, m->code, "%s: %s", what, m->text);
	return error_set(err, EIO, "%s: the sheep answered 0x%" PRIx32, what, result);
}
