/*
 * reader.c: reading a type's text (reader.h).
 */
#include "types/reader.h"

#include "mb/pg_wchar.h"

#define SHOWN 100				/* bytes of the text in a message */

void
cvm_refuse_syntax(const Reader *reader, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.*s\"", reader->type,
					pg_mbcliplen(reader->text, strlen(reader->text), SHOWN), reader->text),
			 errdetail("Expected %s at position %d.", expected, (int) (reader->at - reader->text) + 1),
			 errhint("%s", reader->example)));
}

void
cvm_skip_spaces(Reader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n')
		reader->at++;
}

bool
cvm_accept(Reader *reader, const char *word)
{
	cvm_skip_spaces(reader);
	if (strncmp(reader->at, word, strlen(word)) != 0)
		return false;
	reader->at += strlen(word);
	return true;
}

void
cvm_expect(Reader *reader, const char *word)
{
	if (!cvm_accept(reader, word))
		cvm_refuse_syntax(reader, psprintf("\"%s\"", word));
}

void
cvm_expect_end(Reader *reader, const char *else_expected)
{
	cvm_skip_spaces(reader);
	if (*reader->at != '\0')
		cvm_refuse_syntax(reader, else_expected);
}

double
cvm_read_double(Reader *reader, const char *what)
{
	char	   *end;
	double		value = strtod(reader->at, &end);

	if (end == reader->at)
		cvm_refuse_syntax(reader, what);
	reader->at = end;
	return value;
}

int64
cvm_read_whole(Reader *reader, const char *what)
{
	char	   *end;
	int64		value;

	errno = 0;
	value = strtoll(reader->at, &end, 10);
	if (end == reader->at || errno == ERANGE)
		cvm_refuse_syntax(reader, what);
	reader->at = end;
	return value;
}
