/* Reading /proc/PID. Source: proc(5). */
#include "backends/support/process.h"

#include <stdio.h>
#include <string.h>

#include "backends/support/cleanup.h"

DEFINE_CLEANUP(cleanup_file, FILE *, fclose)

static FILE *open_of(pid_t pid, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return fopen(path, "re");
}

pid_t process_of(pid_t tid)
{
	CLEANUP(cleanup_file) FILE *f = open_of(tid, "status");
	char line[256];
	int tgid;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			return tgid;
	return tid;
}

bool process_name(pid_t pid, char name[PROCESS_NAME_MAX])
{
	CLEANUP(cleanup_file) FILE *f = open_of(pid, "comm");

	name[0] = '\0';
	if (!f || !fgets(name, PROCESS_NAME_MAX, f))
		return false;
	name[strcspn(name, "\n")] = '\0';
	return true;
}

bool process_is_dead(pid_t pid)
{
	CLEANUP(cleanup_file) FILE *f = open_of(pid, "status");
	char line[256], state;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "State: %c", &state) == 1)
			return state == 'Z';
	return false;
}
