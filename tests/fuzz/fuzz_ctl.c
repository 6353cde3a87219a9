/* Lines written to ctl, of a pool and of a volume, and to jobs. */
#include <errno.h>

#include "backends/model/job.h"
#include "backends/model/pool.h"
#include "backends/model/volume_verb.h"
#include "backends/support/cleanup.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *line = fuzz_text(data, size);
	struct volume_verb volume;
	enum pool_verb_id pool;
	uint64_t job;
	struct error err = { 0 };
	int ret = volume_verb_parse(line, &volume, &err);

	HOLDS(ret == 0 || (ret == -EINVAL && err.text[0]));
	HOLDS(ret < 0 || !volume.argument || volume.argument <= line + size);
	ret = pool_verb_parse(line, &pool, &err);
	HOLDS(ret == 0 || (ret == -EINVAL && err.text[0]));
	ret = jobs_parse(line, &job, &err);
	HOLDS(ret == 0 || (ret == -EINVAL && err.text[0]));
	return 0;
}
