/*
 * export.h: networks in the form of other programs.
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_EXPORT_H
#define FER_EXPORT_H

#include "network.h"

/* As safetensors under PyTorch's names and in its order of dimensions: the rows of import_names.h
 * with `torch`, read from left to right. Settings go into the metadata, where import_settings()
 * finds them. */
int export_torch(const struct network *n, const struct cli *c, const char *path);

/* As ONNX (onnx.h). */
int export_onnx(const struct network *n, const struct cli *c, const char *path);

#endif
