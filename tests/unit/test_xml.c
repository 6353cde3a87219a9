/* Documents that arrive in pieces: when they are complete, what is refused, and escaping.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/model/xml.h"
#include "backends/support/cleanup.h"

DEFINE_CLEANUP(cleanup_feed, struct xml_feed *, xml_feed_free)
#define AUTO_FEED CLEANUP(cleanup_feed)

#define BYTES(literal) (literal), sizeof(literal) - 1
#define N(array)       (sizeof(array) / sizeof(*(array)))

static const size_t chunks[] = { 1, 2, 3, 7, 4096, XML_LIMIT };

/* Feeds it in chunks until it is refused; the state at the end, and the first refusal. */
static enum xml_state feed(struct xml_feed *f, const char *text, size_t len, size_t chunk,
			   struct error *err)
{
	enum xml_state state = xml_feed_state(f);

	for (size_t at = 0; at < len && state != XML_REFUSED; at += chunk)
		state = xml_feed_add(f, text + at, len - at < chunk ? len - at : chunk,
				     err);
	return state;
}

static const struct {
	const char *text;
	size_t len;
	enum xml_state state;
	const char *says; /* of a refused or incomplete one */
} documents[] = {
	{ BYTES("<pool/>"), XML_COMPLETE, NULL },
	{ BYTES("<pool></pool>"), XML_COMPLETE, NULL },
	{ BYTES("<pool type='dir'>\r\n<name>a</name>\r\n</pool>\r\n"), XML_COMPLETE,
	  NULL },
	{ BYTES("<pool/>\r"), XML_COMPLETE, NULL },
	{ BYTES("<?xml version='1.0'?>\n<!-- > -->\n<pool/>\n\n"), XML_COMPLETE, NULL },
	{ BYTES("<pool/><!-- a --><?b c?>\n<!-- d -->"), XML_COMPLETE, NULL },
	{ BYTES("<pool><![CDATA[</pool>]]></pool>"), XML_COMPLETE, NULL },
	{ BYTES("<a><![CDATA[&>]]>x</a>"), XML_COMPLETE, NULL },
	{ BYTES("<a><![CDATA[ & &x ]] & ]]>&amp;</a>"), XML_COMPLETE, NULL },
	{ BYTES("<a><![CDATA[&]]>& </a>"), XML_REFUSED, "a '&' stands alone" },
	{ BYTES("<pool a='>'><!-- </pool> --><?x </pool>?></pool>"), XML_COMPLETE, NULL },
	{ BYTES("\xef\xbb\xbf<pool/>"), XML_COMPLETE, NULL },
	{ BYTES("<?xml version='1.0' "
		"encoding='ISO-8859-1'?><pool><name>\xfc</name></pool>"),
	  XML_COMPLETE, NULL },
	{ BYTES("\xff\xfe<\0p\0/\0>\0"), XML_COMPLETE, NULL },
	{ BYTES("\xff\xfe<\0p\0/\0>\0\n\0"), XML_COMPLETE, NULL },
	{ BYTES("\xfe\xff\0<\0p\0/\0>"), XML_COMPLETE, NULL },
	{ BYTES("<p>\xc3\xbc &lt;&#252;&#x10ffff;</p>"), XML_COMPLETE, NULL },
	{ BYTES("<fs:p/>"), XML_COMPLETE, NULL },
	{ BYTES(""), XML_EMPTY, "empty" },
	{ BYTES("<p"), XML_INCOMPLETE, "line 1: the document ends before its root" },
	{ BYTES("\n"), XML_INCOMPLETE, "the document ends before its root element" },
	{ BYTES("<pool>\n<target>\n"), XML_INCOMPLETE,
	  "line 3: <target>: the document ends" },
	{ BYTES("<pool>\n<target>\n</target>"), XML_INCOMPLETE,
	  "line 3: <pool>: the document" },
	{ BYTES("<pool/><pool/>"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/>x"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/>\n\nxyz"), XML_REFUSED, "line 3: there is text behind the root" },
	{ BYTES("<pool/></pool>"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/>&amp;"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/>\0"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/>\0\0\0\0\0"), XML_REFUSED, "behind the root element" },
	{ BYTES("<pool/><!DOCTYPE pool>"), XML_REFUSED, "" },
	{ BYTES("hello"), XML_REFUSED, "line 1: " },
	{ BYTES("hello\nworld\nagain"), XML_REFUSED, "line 1: " },
	{ BYTES("\n<pool>\n <name></pool>"), XML_REFUSED, "line 3: <name>: " },
	{ BYTES("<pool>\n<a b=c/></pool>"), XML_REFUSED, "line 2: <pool>: " },
	{ BYTES("<pool a='1' a='2'/>"), XML_REFUSED, "redefined" },
	{ BYTES("<pool>&nbsp;</pool>"), XML_REFUSED, "nbsp" },
	{ BYTES("<pool>& </pool>"), XML_REFUSED, "line 1: <pool>: a '&' stands alone" },
	{ BYTES("<pool>a &amp b</pool>"), XML_REFUSED,
	  "line 1: <pool>: a '&' stands alone" },
	{ BYTES("<pool a='b & c'/>"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool a='b></pool>"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool a=\"b></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool <name>a</name></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool>< name>a</name></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool><!- a --></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool><a/ ></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool>]]></pool>\n"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool a='&x;'/>"), XML_REFUSED, "line 1: " },
	{ BYTES("<pool>&#0;</pool>"), XML_REFUSED, "line 1: <pool>: " },
	{ BYTES("<pool>&#1;</pool>"), XML_REFUSED, "line 1: <pool>: " },
	{ BYTES("<!DOCTYPE pool><pool/>"), XML_REFUSED,
	  "line 1: a DOCTYPE is not allowed" },
	{ BYTES("<!DOCTYPE pool [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><pool>&c;</pool>"),
	  XML_REFUSED, "DOCTYPE is not allowed" },
	{ BYTES("<!DOCTYPE pool SYSTEM 'file:///etc/passwd'><pool/>"), XML_REFUSED,
	  "DOCTYPE is not allowed" },
	{ BYTES("<!DOCTYPE p [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x;</p>"),
	  XML_REFUSED, "DOCTYPE is not allowed" },
	{ BYTES("<pool>\n<name>a\0b</name></pool>"), XML_REFUSED,
	  "line 2: <name>: the text has" },
	{ BYTES("<pool>\n<name>\xfc</name></pool>"), XML_REFUSED,
	  "line 2: <name>: the text has" },
	{ BYTES("<pool a='\xfc'>\n</pool>"), XML_REFUSED, "line 1: the text has a byte" },
	{ BYTES("<pool>\n<name>\xed\xa0\x80</name></pool>"), XML_REFUSED,
	  "the text has a byte" },
	{ BYTES("<pool>\n<name>\x01</name></pool>"), XML_REFUSED, "line 2: <name>: " },
	{ BYTES("<?xml version='1.0' encoding='klingon'?><pool/>"), XML_REFUSED,
	  "encoding is not known" },
	{ BYTES("\0\0\0\0\0\0\0\0"), XML_REFUSED, "line 1: " },
	{ BYTES("\x7f"
		"ELF\x02\x01\x01\0\0\0\0\0\0\0"),
	  XML_REFUSED, "line 1: " },
	{ BYTES("<pool><p xmlns:xi='http://www.w3.org/2001/XInclude'>"
		"<xi:include href='/etc/passwd' parse='text'/></p></pool>"),
	  XML_COMPLETE, NULL },
};

static void expect_words(const char *text, const char *words, const char *document)
{
	if (!strstr(text, words))
		fail_msg("%s\nsays: %s\nnot:  %s", document, text, words);
}

static void every_document_ends_the_same_in_chunks_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(documents); i++) {
		for (size_t k = 0; k < N(chunks); k++) {
			AUTO_FEED struct xml_feed *f = xml_feed_new();
			struct error err = { 0 }, why = { 0 };
			enum xml_state s = feed(f, documents[i].text, documents[i].len,
						chunks[k], &err);

			if (s != documents[i].state || s != xml_feed_state(f))
				fail_msg("%s\nin chunks of %zu: state %d, not %d: %s",
					 documents[i].text, chunks[k], s,
					 documents[i].state, err.text);
			if (s == XML_COMPLETE)
				continue;
			assert_int_equal(xml_feed_why(f, &why), -EINVAL);
			expect_words(why.text, documents[i].says, documents[i].text);
			if (s == XML_REFUSED) {
				assert_string_equal(why.text, err.text);
				assert_int_equal(err.code, EINVAL);
			}
		}
	}
}

/* Complete with the byte that closes the root, not before and not after. */
static void the_write_that_closes_the_root_completes(void **state)
{
	static const char text[] =
		"<?xml version='1.0'?>\n<!-- a -->\n<pool type='dir'>\n"
		"  <name>a &gt; b</name>\n</pool>\n<!-- tail -->\n";
	const size_t closes = strstr(text, "</pool>") + strlen("</pool>") - text;
	AUTO_FEED struct xml_feed *f = xml_feed_new();

	(void)state;
	for (size_t i = 0; text[i]; i++) {
		enum xml_state s = xml_feed_add(f, text + i, 1, NULL);

		assert_int_equal(s, i + 1 < closes ? XML_INCOMPLETE : XML_COMPLETE);
	}
	assert_string_equal(buf_text(xml_feed_text(f)), text);
}

/* In the write that closes the root, what follows it counts: it must end, too. */
static void a_tail_that_has_not_ended_is_waited_for(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *rest;
		size_t rest_len;
	} tails[] = {
		{ BYTES("<pool/>\n<!-- "), BYTES("-->") },
		{ BYTES("<pool/>\n<"), BYTES("?a b?>") },
		{ BYTES("\xff\xfe<\0p\0/\0>\0\n"), BYTES("\0") },
	};

	(void)state;
	for (size_t i = 0; i < N(tails); i++) {
		AUTO_FEED struct xml_feed *f = xml_feed_new();
		struct error err = { 0 };

		assert_int_equal(xml_feed_add(f, tails[i].text, tails[i].len, &err),
				 XML_INCOMPLETE);
		assert_int_equal(xml_feed_why(f, &err), -EINVAL);
		expect_words(err.text, "what follows its root element", tails[i].text);
		assert_int_equal(xml_feed_add(f, tails[i].rest, tails[i].rest_len, &err),
				 XML_COMPLETE);
	}
}

static void what_follows_a_complete_document_may_be_refused(void **state)
{
	AUTO_FEED struct xml_feed *f = xml_feed_new();
	struct error err = { 0 };

	(void)state;
	assert_int_equal(xml_feed_add(f, "<p/>", 4, &err), XML_COMPLETE);
	assert_int_equal(xml_feed_add(f, "\n <!-", 5, &err), XML_COMPLETE);
	assert_int_equal(xml_feed_add(f, "- a -->\n", 8, &err), XML_COMPLETE);
	assert_int_equal(xml_feed_add(f, "<p/>", 4, &err), XML_REFUSED);
	expect_words(err.text, "behind the root", "<p/>");
	assert_int_equal(xml_feed_add(f, "\n", 1, &err), XML_REFUSED);
	assert_int_equal(xml_feed_why(f, &err), -EINVAL);
}

/* 64 MiB that never end: refused at 1 MiB, and no more is kept. */
static void a_huge_document_is_refused_at_its_limit(void **state)
{
	static char block[128 << 10];
	AUTO_FEED struct xml_feed *f = xml_feed_new();
	struct error err = { 0 };
	size_t taken = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(xml_feed_add(f, "<p>", 3, &err), XML_INCOMPLETE);
	for (size_t i = 0; i < 512; i++)
		if (xml_feed_add(f, block, sizeof(block), &err) == XML_INCOMPLETE)
			taken += sizeof(block);
	assert_int_equal(taken, XML_LIMIT - sizeof(block));
	assert_int_equal(err.code, EFBIG);
	expect_words(err.text, "larger than 1 MiB", "64 MiB");
	assert_true(xml_feed_text(f)->len <= XML_LIMIT);
}

static void nest(struct buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		assert_int_equal(buf_puts(out, "<a>"), 0);
	for (int i = 0; i < depth; i++)
		assert_int_equal(buf_puts(out, "</a>"), 0);
}

static void depth_is_limited(void **state)
{
	AUTO_FEED struct xml_feed *f = xml_feed_new(), *deep = xml_feed_new();
	AUTO_BUF struct buf fits = { 0 };
	AUTO_BUF struct buf too_deep = { 0 };
	struct error err = { 0 };

	(void)state;
	nest(&fits, 256);
	assert_int_equal(xml_feed_add(f, fits.data, fits.len, &err), XML_COMPLETE);
	nest(&too_deep, 100000);
	assert_int_equal(xml_feed_add(deep, too_deep.data, too_deep.len, &err),
			 XML_REFUSED);
	expect_words(err.text, "more than 256 deep", "100000 deep");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others are busy, too */
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* What is quadratic in a parser must not be in us: a mebibyte of each, or a quarter in
 * single bytes, is a matter of a second under a sanitizer. */
static void no_document_takes_long(void **state)
{
	static const struct {
		const char *head, *item;
		size_t chunk;
	} floods[] = {
		{ "<p ", "a%06zu='' ", XML_LIMIT },
		{ "<p ", "a%06zu='' ", 1 },
		{ "<p ", "xmlns:a%06zu='a%zu' ", XML_LIMIT },
		{ "<p>", "<a%06zu/>", 1 },
		{ "<p>", "text%06zu &amp; more ", 1 },
		{ "<p>", "</a%06zu", 1 },
		{ "<p a='", ">%06zu", 1 },
		{ "<p a=\"", "'%06zu'", XML_LIMIT },
		{ "<!-- ", "-%06zu", 1 },
		{ "<p><![CDATA[", "]]%06zu", 1 },
		{ "<?p ", "?%06zu", 1 },
		{ "<p>&#", "%06zu", 1 },
		{ "<p/>", "<!--%06zu-->", 1 },
		{ "<p/>", " %06zu", XML_LIMIT },
		{ " ", "    \n\n   %0.0zu", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N(floods); i++) {
		AUTO_FEED struct xml_feed *f = xml_feed_new();
		AUTO_BUF struct buf text = { 0 };
		size_t size = floods[i].chunk == 1 ? XML_LIMIT / 4 : XML_LIMIT;
		double start = seconds();

		assert_int_equal(buf_puts(&text, floods[i].head), 0);
		for (size_t k = 0; text.len < size - 64; k++)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			assert_int_equal(buf_printf(&text, floods[i].item, k, k), 0);
#pragma GCC diagnostic pop
		feed(f, text.data, text.len, floods[i].chunk, NULL);
		if (getenv("TIMES"))
			printf("%6.3f s: %s%s\n", seconds() - start, floods[i].head,
			       floods[i].item);
		if (seconds() - start > 20)
			fail_msg("%.1f s: %s%s…", seconds() - start, floods[i].head,
				 floods[i].item);
	}
}

/* Characters of several bytes across every boundary of chunks. */
static void long_text_survives_any_cut(void **state)
{
	AUTO_BUF struct buf text = { 0 };

	(void)state;
	assert_int_equal(buf_puts(&text, "<p a='"), 0);
	for (int i = 0; i < 700; i++)
		assert_int_equal(buf_puts(&text, "\xf0\x9f\x92\xbe\xe2\x82\xac\xc3\xbcx"),
				 0);
	assert_int_equal(buf_puts(&text, "'>"), 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(buf_puts(&text, "\xf0\x9f\x92\xbe\xe2\x82\xac\xc3\xbcx"),
				 0);
	assert_int_equal(buf_puts(&text, "</p>"), 0);
	for (size_t chunk = 1; chunk < 10000; chunk += chunk < 40 ? 1 : 331) {
		AUTO_FEED struct xml_feed *f = xml_feed_new();
		struct error err = { 0 };

		if (feed(f, text.data, text.len, chunk, &err) != XML_COMPLETE)
			fail_msg("in chunks of %zu: %s", chunk, err.text);
	}
}

/* A journal that anyone may fill with nonsense from inside a library is none. */
static void libxml2_prints_nothing_itself(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} printed[] = {
		{ BYTES("<?xml version='1.0' encoding='UTF-16'?><p>\xdc\x00</p>") },
		{ BYTES("<?xml version='1.0' encoding='EUC-JP'?><p>\xff\xff\x8f</p>\n") },
		{ BYTES("<?xml version='1.0' encoding='UTF-7'?><p>+AAA</p>") },
		{ BYTES("\xff\xfe<\0p\0>\0\x00\xdc\x00\xdc<\0/\0p\0>\0") },
	};
	AUTO_FD int stderr_was = dup(STDERR_FILENO);
	AUTO_FD int file = memfd_create("stderr", MFD_CLOEXEC);

	(void)state;
	dup2(file, STDERR_FILENO);
	for (size_t i = 0; i < N(printed); i++) {
		for (size_t k = 0; k < N(chunks); k++) {
			AUTO_FEED struct xml_feed *f = xml_feed_new();
			struct error err = { 0 };

			feed(f, printed[i].text, printed[i].len, chunks[k], &err);
		}
	}
	dup2(stderr_was, STDERR_FILENO);
	assert_int_equal(lseek(file, 0, SEEK_END), 0);
}

static const struct {
	const char *text, *escaped; /* NULL: XML cannot hold it */
} texts[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "<a href='x' b=\"y\">&amp;",
	  "&lt;a href=&apos;x&apos; b=&quot;y&quot;&gt;&amp;amp;" },
	{ "\xc3\xbc\xe2\x82\xac\xf0\x9f\x92\xbe",
	  "\xc3\xbc\xe2\x82\xac\xf0\x9f\x92\xbe" },
	{ "a\tb\nc\rd", "a&#9;b&#10;c&#13;d" },
	{ "\x7f", "\x7f" },
	{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
	{ "\x01", NULL },
	{ "\x1b[0m", NULL },
	{ "\xfc", NULL },
	{ "\xc3", NULL },
	{ "\xc3(", NULL },
	{ "\xc0\x80", NULL },
	{ "\xe0\x80\x80", NULL },
	{ "\xf0\x80\x80\x80", NULL },
	{ "\xed\xa0\x80", NULL },
	{ "\xef\xbf\xbe", NULL },
	{ "\xef\xbf\xbf", NULL },
	{ "\xf4\x90\x80\x80", NULL },
	{ "\xf8\x88\x80\x80\x80", NULL },
	{ "\x80", NULL },
};

static void texts_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		AUTO_BUF struct buf out = { 0 };
		int r = xml_add_escaped(&out, texts[i].text);

		assert_int_equal(xml_can_hold(texts[i].text), texts[i].escaped != NULL);
		assert_int_equal(r, texts[i].escaped ? 0 : -EILSEQ);
		assert_string_equal(buf_text(&out),
				    texts[i].escaped ? texts[i].escaped : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_document_ends_the_same_in_chunks_of_any_size),
		cmocka_unit_test(the_write_that_closes_the_root_completes),
		cmocka_unit_test(a_tail_that_has_not_ended_is_waited_for),
		cmocka_unit_test(what_follows_a_complete_document_may_be_refused),
		cmocka_unit_test(a_huge_document_is_refused_at_its_limit),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(no_document_takes_long),
		cmocka_unit_test(long_text_survives_any_cut),
		cmocka_unit_test(libxml2_prints_nothing_itself),
		cmocka_unit_test(texts_are_escaped),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
