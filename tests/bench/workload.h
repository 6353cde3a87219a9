/* What the parts of the measured client share: its options and its meter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_SERVERS 16

struct options {
	bool direct;                    /* -d: O_DIRECT */
	unsigned threads;               /* -j */
	size_t block;                   /* -b: bytes of one read or write */
	uint64_t count;                 /* -n: operations, 0: until the time is up */
	const char *prefix;             /* -x: of the names made */
	double seconds;                 /* -s: longest time for random I/O */
	pid_t servers[MAX_SERVERS];     /* -p: whose CPU is counted besides ours */
	unsigned nservers;
};

extern struct options opt;

/* Prints one sentence with strerror(errno) and ends the process with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

uint64_t now_ns(void);

/* Between these two lies what is measured. units: MiB × 2^20 (bytes) or operations. */
void meter_start(void);
void meter_stop(uint64_t units);

/* Adds a number to the line that is printed, e.g. a resident set in KiB. */
void meter_extra(uint64_t value);

/* workload_data.c: FILE… */
void run_fill(char **args);
void run_seqread(char **args);
void run_seqwrite(char **args);
void run_randread(char **args);
void run_randwrite(char **args);
void run_mmapread(char **args);
void run_copy(char **args);
void run_sparsecopy(char **args);

/* workload_names.c: DIRECTORY… */
void run_create(char **args);
void run_touch(char **args);
void run_delete(char **args);
void run_list(char **args);
void run_read(char **args);
void run_exec(char **args);
void run_mounted(char **args);
