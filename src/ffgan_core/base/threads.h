// SPDX-License-Identifier: GPL-3.0-or-later
//
// The numeric code splits every layer's work over the same few cores. One persistent pool keeps
// that cheap (a layer at batch 1 takes about a millisecond), keeps the number of threads under the
// user's control however many application threads call in, and fixes which part of the work is
// which chunk, so that sums taken per chunk are reproducible at a given number of threads.

#pragma once

#include <memory>
#include <string>
#include <type_traits>

namespace ffgan {

// Number of chunks that `parallel_chunks` makes at most. The default is the environment variable
// FFGAN_NUM_THREADS, else OMP_NUM_THREADS, by which clusters divide the cores of a machine, else
// the CPUs this process may use (affinity mask and cgroup quota). Throws std::invalid_argument when
// the first is not a positive integer.
long threads();

// Where that number comes from: the name of the variable, "the CPUs of the process" or, after
// `set_threads`, "the program".
std::string threads_source();

// Sets `threads()` for the whole process. Throws std::invalid_argument unless 1 <= count <= 1024.
void set_threads(long count);

namespace detail {
using chunk_function = void (*)(void* context, long chunk, long begin, long end);
void run_chunks(long n, chunk_function function, void* context);
} // namespace detail

// Calls f(chunk, begin, end) for min(n, threads()) contiguous chunks of [0, n), sizes differing by
// at most one, concurrently; returns when all are done. A call from inside a chunk runs its own
// chunks one after the other. The exception of the lowest failing chunk is rethrown.
template <class F> void parallel_chunks(long n, F&& f) {
    using function_type = std::remove_reference_t<F>;
    detail::run_chunks(
        n,
        [](void* context, long chunk, long begin, long end) {
            (*static_cast<function_type*>(context))(chunk, begin, end);
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// A part of the cores for a while. Many application threads that compute at the same time would
// otherwise each use all of them. The constructor waits until one of threads() cores is free and
// takes a fair part of those that are; the holder should divide its work into count() chunks.
class core_share {
  public:
    core_share();
    ~core_share();
    core_share(const core_share&) = delete;
    core_share& operator=(const core_share&) = delete;

    long count() const { return count_; }

  private:
    void* pool_; // of the process that took it: a forked child has another
    long count_;
};

} // namespace ffgan
