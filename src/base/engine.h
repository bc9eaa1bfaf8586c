/* The inside of relume_engine: what computations run on. Kernels are looked up by `level` in
 * kernels/kernels.h, by the network, so that base knows no kernel. */
#ifndef RLM_BASE_ENGINE_H
#define RLM_BASE_ENGINE_H

#include "base/cpu.h"
#include "base/threads.h"
#include "relume/engine.h"

struct relume_engine {
    relume_allocator allocator;
    struct rlm_pool *pool;
    enum rlm_cpu_level level;
    char level_reason[256];
    char threads_reason[256];
};

#endif
