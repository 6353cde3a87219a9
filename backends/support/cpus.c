/* The process's CPUs as it found them; constant once there are threads. */
#include "backends/support/cpus.h"

#include <sched.h>

static cpu_set_t all;

void cpus_note(void)
{
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		CPU_ZERO(&all); /* more than the set can hold */
}

unsigned cpus_count(void)
{
	return CPU_COUNT(&all);
}

bool cpus_many(void)
{
	return cpus_count() > 1;
}

bool cpus_use(int cpu)
{
	cpu_set_t one;

	if (cpu == CPUS_ALL)
		return cpus_many() && sched_setaffinity(0, sizeof(all), &all) == 0;
	if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &all))
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}
