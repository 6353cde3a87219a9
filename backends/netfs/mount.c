/*
 * Mounts and unmounts shares by the system's tools, which know their servers' protocols
 * and may be killed at the deadline.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/common/holder.h"
#include "backends/netfs/netfs.h"
#include "backends/support/clock.h"
#include "backends/support/run.h"

/*
 * A dead server fails what is asked of it after 5 + 10 + 15 seconds and does not hold the
 * asker for ever, and a mount is tried once. The definition's own options come later, so
 * `hard` is to be had.
 */
#define NFS_OPTIONS "soft,timeo=50,retrans=2,retry=0"

/* Of the time that stop has, what the orderly way gets. */
#define ORDERLY_SHARE 2
#define ORDERLY_NS    (20 * NS_PER_S)

static bool has_option(const struct pool_spec *spec, const char *start)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (!strncmp(spec->options[i].name, start, strlen(start)))
			return true;
	return false;
}

static int own_options(const struct pool_spec *spec, const struct share *s, int secret_fd,
		       struct buf *out)
{
	if (s->kind == NETFS_NFS) {
		const char *version = spec->source.protocol_ver;

		return version ? buf_printf(out, NFS_OPTIONS ",nfsvers=%s", version) :
				 buf_puts(out, NFS_OPTIONS);
	}
	if (s->kind != NETFS_CIFS)
		return 0;
	if (secret_fd >= 0)
		return buf_printf(out, "soft,credentials=/proc/self/fd/%d", secret_fd);
	if (has_option(spec, "user") || has_option(spec, "cred") ||
	    has_option(spec, "sec=") || has_option(spec, "guest"))
		return buf_puts(out, "soft");
	return buf_puts(out, "soft,guest"); /* as libvirt */
}

/* A file in memory as mount.cifs reads it; the password is on no command line. */
static int credentials_file(const struct pool_auth *auth, const struct buf *password,
			    struct error *err)
{
	AUTO_FD int fd = memfd_create("credentials", MFD_CLOEXEC);
	WIPED_BUF struct buf text = { 0 };

	if (memchr(buf_text(password), '\n', password->len) ||
	    memchr(buf_text(password), '\0', password->len) ||
	    strpbrk(auth->username, "\n"))
		return error_set(err, EINVAL,
				 "a user name or password with a line break cannot be used "
				 "for cifs");
	if (fd < 0 ||
	    buf_printf(&text, "username=%s\npassword=%s\n", auth->username,
		       buf_text(password)) < 0 ||
	    write(fd, text.data, text.len) != (ssize_t)text.len)
		return error_errno(err, "cannot hand the credentials to mount.cifs");
	return take_fd(&fd);
}

/* -1 where the definition has none. */
static int credentials(const struct pool_spec *spec, const struct host *host,
		       const struct share *s, int *fd, struct error *err)
{
	const struct pool_auth *auth = &spec->source.auth;
	WIPED_BUF struct buf password = { 0 };
	int r;

	*fd = -1;
	if (s->kind == NETFS_CIFS && has_option(spec, "pass"))
		return error_set(err, EINVAL,
				 "a password in the options would be seen by all: use "
				 "<auth> with a secret");
	if (s->kind != NETFS_CIFS || !auth->type)
		return 0;
	r = host->secret(host->ctx, &auth->secret, &password, err);
	if (r < 0)
		return error_prefix(err, "cannot log in as '%s'", auth->username);
	*fd = credentials_file(auth, &password, err);
	return *fd < 0 ? *fd : 0;
}

/* mount's words in errnos, by what users meet. */
static int mount_failed(const struct share *s, struct error *err)
{
	static const struct {
		const char *said;
		int code;
	} words[] = {
		{ "access denied", EACCES },	    { "Permission denied", EACCES },
		{ "mount error(13)", EACCES },	    { "timed out", ETIMEDOUT },
		{ "mount error(110)", ETIMEDOUT },  { "No such file", ENODEV },
		{ "mount error(2)", ENODEV },	    { "No such device", EOPNOTSUPP },
	};
	struct error said = *err;

	if (said.code == EIO)
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strstr(said.text, words[i].said)) {
				said.code = words[i].code;
				break;
			}
	return error_set(err, said.code, "cannot mount '%s': %s", s->source, said.text);
}

/* mount's own words for this do not help. */
static int check_helper(const struct share *s, struct error *err)
{
	static const struct {
		const char *tool, *package;
	} helpers[] = {
		[NETFS_NFS] = { "mount.nfs", "nfs-common" },
		[NETFS_CIFS] = { "mount.cifs", "cifs-utils" },
		[NETFS_GLUSTERFS] = { "mount.glusterfs", "glusterfs-client" },
	};

	if (run_have(helpers[s->kind].tool))
		return 0;
	return error_set(err, EOPNOTSUPP,
			 "cannot mount '%s': '%s' is not installed (package %s)",
			 s->source, helpers[s->kind].tool, helpers[s->kind].package);
}

int share_mount(const struct pool_spec *spec, const struct host *host,
		const struct share *s, struct call *call, struct error *err)
{
	static const char *const types[] = { "nfs", "cifs", "glusterfs" };
	AUTO_BUF struct buf own = { 0 };
	AUTO_FREE char *options = NULL;
	AUTO_FD int fd = -1;
	int r = check_helper(s, err);

	if (r == 0)
		r = credentials(spec, host, s, &fd, err);
	if (r < 0)
		return r;
	if (own_options(spec, s, fd, &own) == 0)
		options = mounting_options(spec, buf_text(&own));
	if (!options)
		return error_code(err, ENOMEM, "cannot mount '%s'", s->source);

	const int fds[] = { fd, -1 };
	/* the helper itself: what mount(8) hands on to it is mount's affair */
	const char *const cifs[] = { "mount.cifs", s->source, spec->target, "-o", options,
				     NULL };
	const char *const other[] = { "mount", "-t",      types[s->kind], "-o", options,
				      "--",    s->source, spec->target,   NULL };
	struct run run = { .argv = s->kind == NETFS_CIFS ? cifs : other,
			   .fds = fds,
			   .deadline_ns = call->deadline_ns,
			   .cancelled = call->cancelled };

	r = run_tool(&run, err);
	return r < 0 ? mount_failed(s, err) : 0;
}

static int run_umount(const char *how, const char *target, uint64_t deadline,
		      struct error *err)
{
	/* neither helpers, which ask the server, nor a look at what is mounted */
	const char *const argv[] = { "umount", "-i", "-c", how, target, NULL };
	struct run run = { .argv = argv, .deadline_ns = deadline };

	return run_tool(&run, err);
}

/* What umount(2) takes its time for is the filesystem's end: the mount is gone before. */
static bool is_gone(const struct mounted *m)
{
	AUTO_MOUNTED struct mounted now = { 0 };
	struct error unknown = { 0 };
	int r = mounting_find(m->target, &now, &unknown);

	return r == 0 || (r > 0 && now.id != m->id);
}

/* The orderly way writes what is still to be written; a dead server gets nothing. */
int share_umount(const struct mounted *m, bool answers, struct call *call,
		 struct error *err)
{
	AUTO_BUF struct buf who = { 0 };
	uint64_t now = clock_now(), until = now + ORDERLY_NS;
	int r;

	if (holder_of_mount(m->id, m->target, &who))
		return error_set(err, EBUSY, "'%s' is in use: %s", m->target,
				 buf_text(&who));
	if (call->deadline_ns > now &&
	    now + (call->deadline_ns - now) / ORDERLY_SHARE < until)
		until = now + (call->deadline_ns - now) / ORDERLY_SHARE;
	r = answers ? run_umount("-n", m->target, until, err) : -ETIMEDOUT;
	if (r == -ETIMEDOUT && !is_gone(m))
		r = run_umount("-fl", m->target, call->deadline_ns, err);
	return r < 0 && is_gone(m) ? 0 : r;
}
