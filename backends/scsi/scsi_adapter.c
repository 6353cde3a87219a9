/* Host adapters: by number, and by the PCI device that they are on. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/sysfs.h"
#include "backends/scsi/scsi.h"

#define HOSTS "/sys/class/scsi_host"

static int is_host(const struct dirent *e)
{
	unsigned n;
	int end = 0;

	return sscanf(e->d_name, "host%u%n", &n, &end) == 1 && !e->d_name[end];
}

int adapter_each(int (*each)(void *arg, unsigned number), void *arg)
{
	struct dirent **entries = NULL;
	int n = scandir(HOSTS, &entries, is_host, versionsort), r = 0;

	for (int i = 0; i < n; i++) {
		if (r >= 0)
			r = each(arg, strtoul(entries[i]->d_name + 4, NULL, 10));
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The last PCI device on the way to it: those before are bridges. */
bool adapter_address(unsigned number, struct pci_address *out)
{
	AUTO_FREE char *real = sys_real(HOSTS "/host%u/device", number);
	bool found = false;
	uint64_t id = 0;

	for (char *at = real; at && (at = strchr(at, '/')); at++) {
		struct pci_address a;
		int end = 0;

		if (sscanf(at, "/%4x:%2x:%2x.%1x%n", &a.domain, &a.bus, &a.slot,
			   &a.function, &end) == 4 &&
		    (at[end] == '/' || !at[end])) {
			*out = a;
			found = true;
		}
	}
	sys_number(&id, HOSTS "/host%u/unique_id", number);
	out->unique_id = id;
	return found;
}

/* -- which one a definition means -- */

struct search {
	const struct pool_adapter *a;
	int found;
	struct buf all;
};

static int note(void *arg, unsigned number)
{
	struct search *s = arg;

	return buf_printf(&s->all, "%shost%u", s->all.len ? " " : "", number);
}

static int compare_address(void *arg, unsigned number)
{
	struct search *s = arg;
	const struct pool_adapter *a = s->a;
	struct pci_address at;

	if (s->found == HOST_NONE && adapter_address(number, &at) &&
	    at.domain == a->domain && at.bus == a->bus && at.slot == a->slot &&
	    at.function == a->function && at.unique_id == a->unique_id)
		s->found = number;
	return note(arg, number);
}

static int by_address(const struct pool_adapter *a, struct error *err)
{
	struct search s = { .a = a, .found = HOST_NONE };

	adapter_each(compare_address, &s);
	if (s.found == HOST_NONE)
		error_set(err, ENODEV,
			  "there is no SCSI adapter with unique_id %u on PCI device "
			  "%04x:%02x:%02x.%x: this host has %s, see sources/scsi",
			  a->unique_id, a->domain, a->bus, a->slot, a->function,
			  s.all.len ? buf_text(&s.all) : "none");
	buf_free(&s.all);
	return s.found == HOST_NONE ? -ENODEV : s.found;
}

/* libvirt's names of it: host3, scsi_host3, fc_host3. */
static bool parse_name(const char *name, unsigned *number)
{
	static const char *const prefixes[] = { "host", "scsi_host", "fc_host" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t len = strlen(prefixes[i]);
		int end = 0;

		if (!strncmp(name, prefixes[i], len) &&
		    isdigit((unsigned char)name[len]) &&
		    sscanf(name + len, "%u%n", number, &end) == 1 && !name[len + end])
			return true;
	}
	return false;
}

static int by_name(const char *name, struct error *err)
{
	struct search s = { .found = HOST_NONE };
	unsigned n;

	if (!parse_name(name, &n))
		return error_set(err, EINVAL,
				 "a SCSI adapter is called as host3 or scsi_host3, not "
				 "'%s'",
				 name);
	if (sys_exists(HOSTS "/host%u", n))
		return n;
	adapter_each(note, &s);
	error_set(err, ENODEV, "there is no SCSI adapter 'host%u': this host has %s", n,
		  s.all.len ? buf_text(&s.all) : "none");
	buf_free(&s.all);
	return -ENODEV;
}

static int by_port(const struct pool_adapter *a, struct error *err)
{
	int n = a->wwnn && a->wwpn ? port_find(a->wwnn, a->wwpn) : HOST_NONE;

	if (n != HOST_NONE)
		return n;
	return error_set(err, ENODEV, "no Fibre Channel host has the names '%s' and '%s'",
			 a->wwnn ? a->wwnn : "", a->wwpn ? a->wwpn : "");
}

int adapter_find(const struct pool_adapter *a, struct error *err)
{
	if (a->type == ADAPTER_FC_HOST)
		return by_port(a, err);
	if (a->has_parentaddr)
		return by_address(a, err);
	if (a->name)
		return by_name(a->name, err);
	return error_set(
		err, EINVAL,
		"a SCSI pool's source names its adapter: <adapter name='host0'/>");
}
