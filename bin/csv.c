#include "csv.h"

#include <string.h>
#include <strings.h>

void csv_field(FILE *file, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct csv_span csv_next(char **at, char *end)
{
	struct csv_span f;
	char *comma;

	while (*at < end && is_blank(**at))
		++*at;
	if (*at < end && **at == '"') {
		f.begin = *at + 1;
		f.end = memchr(f.begin, '"', (size_t)(end - f.begin));
		f.end = f.end ? f.end : end;
		comma = memchr(f.end, ',', (size_t)(end - f.end));
	} else {
		f.begin = *at;
		comma = memchr(f.begin, ',', (size_t)(end - f.begin));
		f.end = comma ? comma : end;
	}
	*at = comma ? comma + 1 : NULL;
	while (f.end > f.begin && is_blank(f.end[-1]))
		f.end--;
	return f;
}

bool csv_is(struct csv_span f, const char *const *words, int n)
{
	size_t length = (size_t)(f.end - f.begin);

	for (int i = 0; i < n && words[i]; i++)
		if (strlen(words[i]) == length && !strncasecmp(words[i], f.begin, length))
			return true;
	return false;
}
