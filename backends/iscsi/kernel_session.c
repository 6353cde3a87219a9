/* Looks for sessions and units below /sys/class. */
#include "backends/iscsi/kernel_session.h"

#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "backends/common/sysfs.h"
#include "backends/support/cleanup.h"
#include "backends/support/run.h"

#define SESSIONS "/sys/class/iscsi_session/session"

#define AUTO_GLOB CLEANUP(globfree)

/* -- the initiator -- */

/* A module that is not loaded yet is loaded by iscsid. */
static bool has_module(void)
{
	static const char *const lists[] = { "dep", "builtin" };
	struct utsname u;
	char line[512];

	uname(&u);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		snprintf(line, sizeof(line), "/lib/modules/%s/modules.%s", u.release,
			 lists[i]);

		FILE *f = fopen(line, "re");
		bool found = false;

		while (f && !found && fgets(line, sizeof(line), f))
			found = strstr(line, "/iscsi_tcp.ko");
		if (f)
			fclose(f);
		if (found)
			return true;
	}
	return false;
}

bool kernel_initiator(void)
{
	return run_have("iscsiadm") &&
	       (sys_exists("/sys/class/iscsi_transport/tcp") || has_module());
}

/* -- sessions -- */

static bool is_address(const char *name, const struct session_wanted *w)
{
	char text[ADDRESS_TEXT + 16];

	if (!w->addresses)
		return true;
	snprintf(text, sizeof(text), strchr(name, ':') ? "[%s]:%u" : "%s:%u", name,
		 w->port);
	for (size_t i = 0; i < w->n_addresses; i++)
		if (!strcmp(w->addresses[i].text, text))
			return true;
	return false;
}

static bool is_wanted(const struct session_wanted *w, unsigned sid)
{
	char line[SYS_LINE];
	uint64_t port;

	if (!kernel_session_is(sid, w->target))
		return false;
	if (w->initiator &&
	    (sys_read(line, sizeof(line), SESSIONS "%u/initiatorname", sid) < 0 ||
	     strcmp(line, w->initiator)))
		return false;
	if (sys_number(&port,
		       "/sys/class/iscsi_connection/connection%u:0/persistent_port",
		       sid) < 0 ||
	    port != w->port)
		return false;
	return sys_read(line, sizeof(line),
			"/sys/class/iscsi_connection/connection%u:0/persistent_address",
			sid) == 0 &&
	       is_address(line, w);
}

bool kernel_session_find(const struct session_wanted *w, unsigned *sid)
{
	AUTO_GLOB glob_t g = { 0 };

	if (glob(SESSIONS "*", 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (sscanf(g.gl_pathv[i], SESSIONS "%u", sid) == 1 && is_wanted(w, *sid))
			return true;
	return false;
}

void kernel_session_state(unsigned sid, char out[SESSION_TEXT])
{
	if (sys_read(out, SESSION_TEXT, SESSIONS "%u/state", sid) < 0)
		out[0] = '\0';
}

bool kernel_session_is(unsigned sid, const char *target)
{
	char line[SYS_LINE];

	return sys_read(line, sizeof(line), SESSIONS "%u/targetname", sid) == 0 &&
	       !strcmp(line, target);
}

void kernel_session_iface(unsigned sid, char out[IFACE_TEXT])
{
	if (sys_read(out, IFACE_TEXT, SESSIONS "%u/ifacename", sid) < 0)
		out[0] = '\0';
}

/* -- units -- */

bool kernel_unit_name(const char *path, char name[UNIT_NAME])
{
	unsigned host, bus, target;
	unsigned long long lun;
	const char *at = strrchr(path, '/');

	at = at ? at + 1 : path;
	if (sscanf(at, "%u:%u:%u:%llu", &host, &bus, &target, &lun) != 4)
		return false;
	snprintf(name, UNIT_NAME, "unit:%u:%u:%llu", bus, target, lun);
	return true;
}

/* As the other way to the target: disks, discs, optical memory, simplified disks. */
static bool is_disk(const char *sys)
{
	uint64_t type;

	return sys_number(&type, "%s/type", sys) == 0 &&
	       (type == 0x00 || type == 0x05 || type == 0x07 || type == 0x0e);
}

static dev_t device_of(const char *sys)
{
	char pattern[UNIT_SYS + 16], line[SYS_LINE];
	unsigned a, b;
	AUTO_GLOB glob_t g = { 0 };

	snprintf(pattern, sizeof(pattern), "%s/block/*", sys);
	if (glob(pattern, 0, NULL, &g) ||
	    sys_read(line, sizeof(line), "%s/dev", g.gl_pathv[0]) < 0 ||
	    sscanf(line, "%u:%u", &a, &b) != 2)
		return 0;
	return makedev(a, b);
}

static bool read_unit(const char *sys, struct unit *out)
{
	*out = (struct unit){ 0 };
	if (strlen(sys) >= UNIT_SYS || !kernel_unit_name(sys, out->name) || !is_disk(sys))
		return false;
	strcpy(out->sys, sys);
	out->device = device_of(sys);
	return true;
}

static int find_units(unsigned sid, glob_t *g)
{
	char pattern[UNIT_SYS];

	snprintf(pattern, sizeof(pattern), SESSIONS "%u/device/target*/*:*:*:*", sid);
	return glob(pattern, 0, NULL, g) == GLOB_NOSPACE ? -ENOMEM : 0;
}

int kernel_units(unsigned sid, struct unit **out, struct error *err)
{
	AUTO_GLOB glob_t g = { 0 };
	AUTO_FREE struct unit *list = NULL;
	int n = 0;

	if (find_units(sid, &g) == 0)
		list = calloc(g.gl_pathc + 1, sizeof(*list));
	if (!list)
		return error_code(err, ENOMEM, "cannot list units");
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += read_unit(g.gl_pathv[i], &list[n]);
	*out = take(list);
	return n;
}

int kernel_unit_find(unsigned sid, const char *name, struct unit *out, struct error *err)
{
	AUTO_GLOB glob_t g = { 0 };
	char its[UNIT_NAME];

	if (find_units(sid, &g) < 0)
		return error_code(err, ENOMEM, "cannot find volume '%s'", name);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (kernel_unit_name(g.gl_pathv[i], its) && !strcmp(its, name) &&
		    read_unit(g.gl_pathv[i], out))
			return 0;
	return error_set(err, ENOENT,
			 "there is no volume '%s': a unit's is called unit:0:0:LUN",
			 name);
}
