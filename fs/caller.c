/* Signals of other processes, from /proc. Source: proc(5), signal(7). */
#include "fs/caller.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* By default these do not end a process. */
#define HARMLESS                                                                         \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) |      \
	 BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define ASKING (BIT(SIGINT) | BIT(SIGTERM) | BIT(SIGHUP) | BIT(SIGQUIT))

struct signals {
	uint64_t pending, blocked, ignored, caught;
};

static bool read_signals(pid_t tid, struct signals *s)
{
	char path[40], line[200], name[8];
	unsigned long long mask;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = tid > 0 ? fopen(path, "re") : NULL;
	if (!f)
		return false;
	*s = (struct signals){ 0 };
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%7[A-Za-z]: %llx", name, &mask) != 2)
			continue;
		if (!strcmp(name, "SigPnd") || !strcmp(name, "ShdPnd"))
			s->pending |= mask;
		else if (!strcmp(name, "SigBlk"))
			s->blocked = mask;
		else if (!strcmp(name, "SigIgn"))
			s->ignored = mask;
		else if (!strcmp(name, "SigCgt"))
			s->caught = mask;
	}
	fclose(f);
	return true;
}

bool caller_asked_to_end(pid_t tid)
{
	struct signals s;
	uint64_t deadly;

	if (!read_signals(tid, &s))
		return true;
	deadly = ASKING | (~s.caught & ~HARMLESS);
	return s.pending & (BIT(SIGKILL) | (deadly & ~s.ignored & ~s.blocked));
}
