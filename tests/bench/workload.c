/*
 * The measured client: does one piece of work and prints what it cost itself and the
 * servers.
 *
 * Output: WALL CLIENT SERVERS UNITS EXTRA, times in ns. CPU is from the process clocks,
 * which count ended threads too and have no 10 ms ticks as /proc/PID/stat has.
 */
#include "workload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options opt = { .threads = 1, .block = 1 << 20, .seconds = 1e9,
			.prefix = "bench" };

static struct clocks {
	uint64_t wall, client, servers;
} started, spent;

static uint64_t units_done, extra;

static const struct command {
	const char *name;
	void (*run)(char **args);
	int nargs;                      /* at least */
	const char *args;
} commands[] = {
	{ "fill", run_fill, 2, "FILE BYTES" },
	{ "seqread", run_seqread, 1, "FILE" },
	{ "seqwrite", run_seqwrite, 1, "FILE" },
	{ "randread", run_randread, 1, "FILE" },
	{ "randwrite", run_randwrite, 1, "FILE" },
	{ "mmapread", run_mmapread, 1, "FILE" },
	{ "copy", run_copy, 5, "FROM OFFSET TO OFFSET BYTES" },
	{ "sparsecopy", run_sparsecopy, 2, "FROM TO" },
	{ "create", run_create, 2, "DIRECTORY BYTES" },
	{ "touch", run_touch, 2, "DIRECTORY BYTES" },
	{ "delete", run_delete, 1, "DIRECTORY" },
	{ "list", run_list, 1, "DIRECTORY" },
	{ "read", run_read, 1, "FILE" },
	{ "exec", run_exec, 1, "PROGRAM [ARGUMENT...]" },
	{ "mounted", run_mounted, 3, "MOUNTPOINT NAME PROGRAM [ARGUMENT...]" },
};

void die(const char *format, ...)
{
	int code = errno;
	va_list ap;

	va_start(ap, format);
	fputs("workload: ", stderr);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(code));
	exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		die("cannot read a clock");
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t children_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ull +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ull;
}

static struct clocks clocks_read(void)
{
	struct clocks c = { 0 };

	for (unsigned i = 0; i < opt.nservers; i++) {
		clockid_t id;

		errno = clock_getcpuclockid(opt.servers[i], &id);
		if (errno)
			die("cannot find the clock of process %d", opt.servers[i]);
		c.servers += clock_ns(id);
	}
	c.client = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns();
	c.wall = now_ns();
	return c;
}

void meter_start(void)
{
	started = clocks_read();
}

void meter_stop(uint64_t units)
{
	struct clocks c = clocks_read();

	spent.wall = c.wall - started.wall;
	spent.client = c.client - started.client;
	spent.servers = c.servers - started.servers;
	units_done = units;
}

void meter_extra(uint64_t value)
{
	extra = value;
}

static void usage(void)
{
	fputs("usage: workload [-d] [-j THREADS] [-b BLOCK] [-n COUNT] [-s SECONDS] "
	      "[-x PREFIX] [-p PID]... COMMAND\n", stderr);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].args);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+dj:b:n:s:x:p:")) != -1) {
		switch (c) {
		case 'd': opt.direct = true; break;
		case 'j': opt.threads = strtoul(optarg, NULL, 10); break;
		case 'b': opt.block = strtoul(optarg, NULL, 10); break;
		case 'n': opt.count = strtoull(optarg, NULL, 10); break;
		case 'x': opt.prefix = optarg; break;
		case 's': opt.seconds = strtod(optarg, NULL); break;
		case 'p':
			if (opt.nservers == MAX_SERVERS)
				usage();
			opt.servers[opt.nservers++] = atoi(optarg);
			break;
		default: usage();
		}
	}
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		if (argc - 1 < commands[i].nargs)
			usage();
		commands[i].run(argv + 1);
		printf("%ju %ju %ju %ju %ju\n", (uintmax_t)spent.wall,
		       (uintmax_t)spent.client, (uintmax_t)spent.servers,
		       (uintmax_t)units_done, (uintmax_t)extra);
		return 0;
	}
	usage();
}
