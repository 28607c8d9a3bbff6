/*
 * engine.h: what the programs that compute share: options for the device, opening it, and the
 * library's failures as messages and exit codes.
 */
#ifndef FER_ENGINE_H
#define FER_ENGINE_H

#include <stdio.h>

#include "cli.h"
#include "clgrad.h"

/* Rows for a program's table; NULL leaves the choice to CG_DEVICE in the environment. */
#define ENGINE_OPTIONS \
	{ "device", 0, CLI_TEXT, NULL, "device", "DEVICE", \
	  "auto, cpu, gpu, N as listed, P:D, or part of a name [$CG_DEVICE, else auto]", \
	  CLI_TRANSIENT }, \
	{ "list-devices", 0, CLI_FLAG, "false", "device", NULL, "list the devices and end", \
	  CLI_TRANSIENT }, \
	{ "help-env", 0, CLI_FLAG, "false", "device", NULL, \
	  "list the environment variables of the library and end", CLI_TRANSIENT }

/* Does what --list-devices or --help-env ask for and returns the exit code; -1 if neither is. */
int engine_asked(const struct cli *c);

/* Prints the environment variables of the library; CLI_OK. */
int engine_help_env(void);

/* "gpu", "cpu" or "other" */
const char *engine_kind(const cg_device_info *d);

/* Opens the device of --device. Returns -1 with *ctx open, else the exit code, *ctx NULL. */
int engine_open(const struct cli *c, cg_ctx **ctx);

/* Prints `what: ` and the library's first failure on one line; the exit code that belongs to it. */
int engine_fail(const struct cli *c, const cg_ctx *ctx, const char *what);

/* For struct cli_program.version: the library's version and the device drivers' platforms. */
void engine_version(FILE *out);

#endif
