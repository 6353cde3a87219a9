/* New LUKS containers. */
#include "backends/common/luks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/qemu_img.h"

#define KEY_TRIES 5

/* How the key is made. */
static int add_cipher(const struct volume_encryption *e, const char *prefix,
		      struct buf *out)
{
	const struct volume_cipher *cipher = &e->cipher;
	char alg[80];
	struct {
		const char *key, *value;
	} options[] = {
		{ "key-secret", QEMU_SECRET },
		{ "cipher-alg", cipher->name ? alg : NULL },
		{ "cipher-mode", cipher->mode },
		{ "hash-alg", cipher->hash },
		{ "ivgen-alg", e->ivgen_name },
		{ "ivgen-hash-alg", e->ivgen_hash },
	};

	if (cipher->name)
		snprintf(alg, sizeof(alg), "%s-%u", cipher->name, cipher->size);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		char key[40];

		if (!options[i].value)
			continue;
		snprintf(key, sizeof(key), "%s%s", prefix, options[i].key);
		if (qemu_option(out, key, options[i].value) < 0)
			return -ENOMEM;
	}
	return 0;
}

int luks_plan(const struct host *host, const struct volume_encryption *e,
	      const char *prefix, struct buf *options, struct buf *secret,
	      struct error *err)
{
	int r;

	if (strcmp(e->format, "luks"))
		return error_set(err, EOPNOTSUPP,
				 "volumes are made with luks encryption only, not '%s'",
				 e->format);
	if (e->n_secrets != 1)
		return error_set(err, EINVAL,
				 "encryption needs exactly one <secret "
				 "type='passphrase'>");
	if (!host || !host->secret)
		return error_set(err, ENOENT, "there are no secrets to encrypt with");
	r = host->secret(host->ctx, &e->secrets[0], secret, err);
	if (r < 0)
		return r;
	return add_cipher(e, prefix, options) < 0
		       ? error_code(err, ENOMEM, "cannot encrypt")
		       : 0;
}

/* On a busy machine qemu-img may fail to find out how slow to make a key: then it has
 * made nothing. */
int luks_qemu_img(const char *const *argv, const int *fds, const struct buf *secret,
		  struct call *call, struct error *err)
{
	struct error why = { 0 };
	int r = -1;

	for (int i = 0; r < 0 && i < KEY_TRIES; i++) {
		r = qemu_img(argv, fds, secret, call, &why);
		if (r < 0 && !strstr(why.text, "accurate CPU usage"))
			break;
	}
	return r < 0 ? error_copy(err, &why) : 0;
}
