#include "png_write.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint8_t *put32(uint8_t *at, uint32_t x)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(x >> shift);
	return at;
}

/* Length, type, content, and the CRC of type and content. */
static uint8_t *chunk(uint8_t *at, const char *type, const uint8_t *content, size_t n)
{
	uint8_t *begin = put32(at, (uint32_t)n);

	memcpy(begin, type, 4);
	if (n)
		memcpy(begin + 4, content, n);
	return put32(begin + 4 + n, (uint32_t)crc32(0, begin, (uInt)(n + 4)));
}

/* Rows with a leading 0, "no filter", deflated; to be freed. */
static uint8_t *deflate_rows(const uint8_t *pixels, size_t row, size_t h, uLongf *n)
{
	uint8_t *rows = malloc(h * (row + 1) + 1), *packed;

	*n = compressBound((uLong)(h * (row + 1)));
	packed = malloc(*n);
	if (rows && packed) {
		for (size_t y = 0; y < h; y++) {
			rows[y * (row + 1)] = 0;
			memcpy(rows + y * (row + 1) + 1, pixels + y * row, row);
		}
		if (compress2(packed, n, rows, (uLong)(h * (row + 1)), 9) == Z_OK) {
			free(rows);
			return packed;
		}
	}
	free(rows);
	free(packed);
	return NULL;
}

uint8_t *png_encode(const uint8_t *pixels, int32_t w, int32_t h, int32_t channels, size_t *size)
{
	static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	uint8_t header[13] = { 0 }, *packed, *file, *at;
	uLongf n;

	put32(put32(header, (uint32_t)w), (uint32_t)h);
	header[8] = 8; /* bits */
	header[9] = channels == 3 ? 2 : 0; /* RGB or grey */
	packed = deflate_rows(pixels, (size_t)(w * channels), (size_t)h, &n);
	file = packed ? malloc(sizeof(signature) + sizeof(header) + n + 3 * 12) : NULL;
	if (file) {
		memcpy(file, signature, sizeof(signature));
		at = chunk(file + sizeof(signature), "IHDR", header, sizeof(header));
		at = chunk(at, "IDAT", packed, n);
		at = chunk(at, "IEND", NULL, 0);
		*size = (size_t)(at - file);
	}
	free(packed);
	return file;
}

static void base64(FILE *out, const uint8_t *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;

		group |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= i + 2 < n ? bytes[i + 2] : 0;
		fputc(digits[group >> 18], out);
		fputc(digits[group >> 12 & 63], out);
		fputc(i + 1 < n ? digits[group >> 6 & 63] : '=', out);
		fputc(i + 2 < n ? digits[group & 63] : '=', out);
	}
}

int png_uri(FILE *out, const uint8_t *pixels, int32_t w, int32_t h, int32_t channels)
{
	size_t size;
	uint8_t *file = png_encode(pixels, w, h, channels, &size);

	if (!file)
		return -1;
	fputs("data:image/png;base64,", out);
	base64(out, file, size);
	free(file);
	return 0;
}
