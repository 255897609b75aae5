/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/launch.h"

#include "core/log.h"

enum { JOB_CPU_SECONDS = 4 * 3600, JOB_NICE = 10 };
static const uint64_t job_memory = 8ULL << 30;
static const uint64_t serve_memory = 2ULL << 30;
static const uint64_t job_output = 64ULL << 30;

static const struct service *configured;

void launch_configure(const struct service *service)
{
    configured = service;
}

enum err launch(struct engine *engine, const struct launch *what)
{
    const struct engine_command command = {
        .program = configured->engine_path,
        .mode = what->mode,
        .input = what->input,
        .output = what->output,
        .model = what->model,
        .memory_bytes = what->job ? job_memory : serve_memory,
        .cpu_seconds = what->job ? JOB_CPU_SECONDS : 0,
        .file_size_bytes = what->output < 0 ? 0 : job_output,
        .nice = what->job ? JOB_NICE : 0,
        .uid = configured->root ? (uid_t)configured->config->engine_uid : 0,
        .gid = configured->root ? (gid_t)configured->config->engine_uid : 0,
    };

    return engine_spawn(engine, &command);
}
