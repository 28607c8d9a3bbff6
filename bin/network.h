/*
 * network.h: a model with its settings and its parameters on a device, and how it is kept in a
 * safetensors file: parameters under their own names, what they belong to in the metadata:
 *
 *	fer.model	vgg
 *	fer.config	size=44 channels=1 classes=7 width=32 dropout=0.25
 *	fer.classes	angry,disgust,fear,happy,sad,surprise,neutral
 *	fer.data	hash of the data it was trained on, 16 hexadecimal digits
 *	fer.image	side of those images, before they were brought to the settings' size
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_NETWORK_H
#define FER_NETWORK_H

#include "cli.h"
#include "clgrad.h"
#include "../models/models.h"

enum { NETWORK_CLASSES = 4096 };

struct network {
	cg_ctx *ctx;
	const struct model *model;
	struct model_config config;
	void *self;		/* the model's own struct */
	cg_params *params;
	const char *const *class_names;	/* [config.classes]; of the data set, borrowed */
	char file_classes[NETWORK_CLASSES];	/* what a file says of them, where class_names is NULL */
	uint64_t data_hash;
	int32_t side;		/* of the images it is trained on; 0: unknown */
};

/* Images and classes that a file's network was trained on, for those who have others. */
struct network_origin {
	int32_t side, channels;
	bool enlarges;		/* the settings bring smaller images to a size of their own */
	char classes[NETWORK_CLASSES];	/* "a,b,c", or "" */
};

/* Makes the network and draws its parameters. network_close() is due in every case. */
int network_open(struct network *n, const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, uint64_t seed);
void network_close(struct network *n);

/* How many values are trained, frozen ones included; running statistics are not. */
int64_t network_parameters(const struct network *n);

/* Size, crop and normalisation of the images it wants to see. */
void network_look(const struct network *n, cg_augment_config *look);
/* Are images of h x w x channels something it can look at? */
bool network_sees(const struct model_config *config, int64_t h, int64_t w, int64_t channels);

/* Logits of a batch; grey images are shown thrice to a network for colour. */
cg_tensor *network_forward(const struct network *n, cg_tensor *x);

/* Adds the metadata and the parameters to a file. */
cg_status network_write(const struct network *n, cg_writer *w);
int network_save(const struct network *n, const struct cli *c, const char *path);

/* side: what the file says, else FER2013's 48 or the input's size, whichever is larger. */
int network_origin(const struct cli *c, cg_ctx *ctx, const char *path, struct network_origin *o);

/* The model and the settings that a file names. */
int network_settings(const struct cli *c, const cg_file *f, const char *path,
		     const struct model **model, struct model_config *config);

/*
 * Makes the network that a file holds and loads its parameters; class_names are the data's, their
 * number must be that of the file; NULL and 0: there are no data. CLI_CHECKPOINT where the file cannot be used.
 */
int network_load(struct network *n, const struct cli *c, cg_ctx *ctx, const char *path,
		 const char *const *class_names, int32_t classes);

/* Takes the parameters from a file of the same model and settings; else CLI_CHECKPOINT. */
int network_read(struct network *n, const struct cli *c, cg_file *f, const char *path);
int network_reload(struct network *n, const struct cli *c, const char *path);

/* CLI_CHECKPOINT after "path: what the library says", where the file is to blame. */
int network_file_fail(const struct cli *c, const cg_ctx *ctx, const char *path);

#endif
