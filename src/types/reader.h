/*
 * reader.h: reading a type's text from left to right; what does not fit is error 22P02,
 * with what was expected and where.
 */
#ifndef CVM_TYPES_READER_H
#define CVM_TYPES_READER_H

#include "compat.h"

/* What is being read: the whole text for messages, and a place in it. */
typedef struct Reader
{
	const char *type;
	const char *example;		/* hint of an error: what a value looks like */
	const char *text;
	const char *at;
} Reader;

pg_noreturn extern void cvm_refuse_syntax(const Reader *reader, const char *expected);
extern void cvm_skip_spaces(Reader *reader);
/* whether `word` stands here, which is then passed; spaces before it do not count */
extern bool cvm_accept(Reader *reader, const char *word);
extern void cvm_expect(Reader *reader, const char *word);
extern void cvm_expect_end(Reader *reader, const char *else_expected);
/* `what`, such as "a count", is what an error says was expected */
extern double cvm_read_double(Reader *reader, const char *what);
extern int64 cvm_read_whole(Reader *reader, const char *what);

#endif
