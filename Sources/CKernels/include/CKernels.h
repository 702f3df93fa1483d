// Umbrella of the compute kernels: one header a topic, each with the contract of its kernels.
#ifndef QUINTET_CKERNELS_H
#define QUINTET_CKERNELS_H
#include "quintet_bench.h"
#include "quintet_bits.h"
#include "quintet_box.h"
#include "quintet_components.h"
#include "quintet_distance.h"
#include "quintet_gaussian.h"
#include "quintet_arena.h"
#include "quintet_layers.h"
#include "quintet_lesions.h"
#include "quintet_math.h"
#include "quintet_network.h"
#include "quintet_pages.h"
#include "quintet_philox.h"
#include "quintet_pool.h"
#endif
