// SPDX-License-Identifier: GPL-3.0-or-later

// The thread pool: which chunks there are, that every one runs, and that it survives errors,
// nesting, concurrent callers and fork. Prints one line per check; exits 1 when any failed.

#include "base/threads.h"
#include "checks.h"

#include <atomic>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using checks::check;
using checks::failures;

// Sum of i over [0, n), each element visited by its chunk.
long parallel_sum(long n) {
    std::atomic<long> sum{0};
    ffgan::parallel_chunks(n, [&](long, long begin, long end) {
        long part = 0;
        for (long i = begin; i < end; ++i)
            part += i;
        sum += part;
    });
    return sum;
}

void chunks() {
    bool right = true;
    for (const long threads : {1L, 2L, 3L, 8L}) {
        ffgan::set_threads(threads);
        for (const long n : {0L, 1L, 2L, 5L, 8L, 1001L}) {
            const long expected = std::min(n, threads);
            std::vector<int> visits(static_cast<std::size_t>(n), 0);
            std::vector<int> calls(static_cast<std::size_t>(expected), 0);
            std::vector<long> sizes(static_cast<std::size_t>(expected), 0);
            ffgan::parallel_chunks(n, [&](long chunk, long begin, long end) {
                ++calls.at(static_cast<std::size_t>(chunk));
                sizes.at(static_cast<std::size_t>(chunk)) = end - begin;
                for (long i = begin; i < end; ++i)
                    ++visits.at(static_cast<std::size_t>(i));
            });
            right = right && visits == std::vector<int>(visits.size(), 1) &&
                    calls == std::vector<int>(calls.size(), 1);
            for (const long size : sizes)
                right = right && (size == n / expected || size == n / expected + 1);
        }
    }
    check("every element is in one of min(n, threads) chunks of nearly equal size", right);
}

void nested() {
    ffgan::set_threads(4);
    std::atomic<long> sum{0};
    ffgan::parallel_chunks(4, [&](long, long, long) {
        ffgan::parallel_chunks(100, [&](long, long begin, long end) { sum += end - begin; });
    });
    check("nested calls run every chunk", sum == 400);
}

void errors() {
    ffgan::set_threads(4);
    std::string message;
    try {
        ffgan::parallel_chunks(4, [](long chunk, long, long) {
            if (chunk > 0)
                throw std::runtime_error("chunk " + std::to_string(chunk));
        });
    } catch (const std::runtime_error& error) {
        message = error.what();
    }
    check("the lowest failing chunk's exception reaches the caller", message == "chunk 1");
    check("the pool works after an exception", parallel_sum(1000) == 499500);
    int refused = 0;
    for (const long count : {0L, -1L, 1025L}) {
        try {
            ffgan::set_threads(count);
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    check("impossible numbers of threads are refused", refused == 3 && ffgan::threads() == 4);
}

void concurrent_callers() {
    ffgan::set_threads(3);
    std::atomic<long> right{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 6; ++caller)
        callers.emplace_back([&] {
            for (int i = 0; i < 300; ++i)
                right += parallel_sum(50 + i) == (50 + i) * (49 + i) / 2;
        });
    for (std::thread& caller : callers)
        caller.join();
    check("several application threads may call at once", right == 6 * 300);
}

void fork_survives() {
    ffgan::set_threads(3);
    parallel_sum(1000);
    const pid_t child = fork();
    if (child == 0)
        _exit(parallel_sum(1000) == 499500 ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    check("a forked child has a pool of its own", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check("the parent's pool survives a fork", parallel_sum(1000) == 499500);
}

// What `threads()` says in a fresh process with FFGAN_NUM_THREADS and OMP_NUM_THREADS set so; 0
// when it throws.
int threads_with(const char* variable, const char* program, const char* openmp = nullptr) {
    const pid_t child = fork();
    if (child == 0) {
        unsetenv("FFGAN_NUM_THREADS");
        unsetenv("OMP_NUM_THREADS");
        if (variable)
            setenv("FFGAN_NUM_THREADS", variable, 1);
        if (openmp)
            setenv("OMP_NUM_THREADS", openmp, 1);
        execl(program, program, "threads", static_cast<char*>(nullptr));
        _exit(255);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        try {
            return static_cast<int>(ffgan::threads());
        } catch (const std::invalid_argument&) {
            return 0;
        }
    }
    check("FFGAN_NUM_THREADS is obeyed", threads_with("7", argv[0]) == 7);
    check("a bad FFGAN_NUM_THREADS is refused",
          threads_with("many", argv[0]) == 0 && threads_with("0", argv[0]) == 0 &&
              threads_with("4x", argv[0]) == 0 && threads_with("", argv[0]) == 0);
    check("FFGAN_NUM_THREADS goes before OMP_NUM_THREADS", threads_with("7", argv[0], "5") == 7);
    check("without it OMP_NUM_THREADS is obeyed, its first number in a list",
          threads_with(nullptr, argv[0], "5") == 5 && threads_with(nullptr, argv[0], "6,2") == 6 &&
              threads_with(nullptr, argv[0], "4 ,2") == 4);
    const int cpus = threads_with(nullptr, argv[0]);
    check("an OMP_NUM_THREADS that is no number changes nothing",
          cpus >= 1 && threads_with(nullptr, argv[0], "all") == cpus &&
              threads_with(nullptr, argv[0], "") == cpus &&
              threads_with(nullptr, argv[0], "0") == cpus &&
              threads_with(nullptr, argv[0], "-3") == cpus &&
              threads_with(nullptr, argv[0], "12x") == cpus);
    check("the default lies between one and the CPUs of the machine",
          cpus >= 1 && cpus <= static_cast<int>(std::thread::hardware_concurrency()));
    chunks();
    nested();
    errors();
    concurrent_callers();
    fork_survives();
    return failures == 0 ? 0 : 1;
}
