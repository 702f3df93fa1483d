// All fast kernels of layers: included once per instruction set.
#ifndef QUINTET_LAYER_FAST_H
#define QUINTET_LAYER_FAST_H
#include "layer_rows.h"
#include "exponential_fast.h"
#include "loss_voxels.h"
#include "activation_fast.h"
#include "affine_norm_fast.h"
#include "pooling_fast.h"
#include "upsampling_fast.h"
#include "element_loss_fast.h"
#include "focal_fast.h"
#include "dense_fast.h"
#include "dropout_fast.h"
#include "latent_fast.h"
#endif
