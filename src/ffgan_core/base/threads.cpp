// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace ffgan {
namespace {

constexpr long maximum_threads = 1024;

long affinity_cpus() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return std::max(1L, static_cast<long>(std::thread::hardware_concurrency()));
}

#ifdef __linux__
// Quota in CPUs of one cgroup folder, or 0 when it sets none.
double quota_of(const std::string& folder) {
    std::string quota;
    double period = 0;
    if (std::ifstream(folder + "/cpu.max") >> quota >> period) {
        if (quota != "max" && period > 0)
            return std::strtod(quota.c_str(), nullptr) / period;
        return 0;
    }
    double microseconds = 0;
    if (std::ifstream(folder + "/cpu.cfs_quota_us") >> microseconds &&
        std::ifstream(folder + "/cpu.cfs_period_us") >> period && microseconds > 0 && period > 0)
        return microseconds / period;
    return 0;
}
#endif

// The tightest quota of this process's cgroup and its ancestors, or 0.
double cgroup_cpus() {
    double tightest = 0;
#ifdef __linux__
    std::ifstream memberships("/proc/self/cgroup");
    std::string line;
    while (std::getline(memberships, line)) {
        // A line is hierarchy-id:controllers:path; version 2 has id 0 and no controllers.
        std::istringstream fields(line);
        std::string id, controllers, path;
        std::getline(fields, id, ':');
        std::getline(fields, controllers, ':');
        std::getline(fields, path);
        std::string root = "/sys/fs/cgroup";
        if (!controllers.empty()) {
            if (("," + controllers + ",").find(",cpu,") == std::string::npos)
                continue;
            root += "/cpu";
        }
        for (;;) {
            const double quota = quota_of(root + path);
            if (quota > 0 && (tightest == 0 || quota < tightest))
                tightest = quota;
            if (path.empty())
                break;
            path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
        }
    }
#endif
    return tightest;
}

// What OMP_NUM_THREADS says for the outermost level; 0 where it says nothing. It is not ours, and a
// list such as "4,2": what cannot be read is left alone, as OpenMP does.
long openmp_threads() {
    const char* text = std::getenv("OMP_NUM_THREADS");
    if (!text)
        return 0;
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    while (*end == ' ' || *end == '\t')
        ++end;
    if (end == text || (*end != '\0' && *end != ',') || value < 1)
        return 0;
    return std::min(value, maximum_threads);
}

struct thread_count {
    long count;
    const char* source;
};

thread_count default_threads() {
    if (const char* text = std::getenv("FFGAN_NUM_THREADS")) {
        char* end = nullptr;
        const long value = std::strtol(text, &end, 10);
        if (end == text || *end != '\0' || value < 1 || value > maximum_threads)
            throw std::invalid_argument(
                "FFGAN_NUM_THREADS must be an integer from 1 to 1024, not '" + std::string(text) +
                "'");
        return {value, "FFGAN_NUM_THREADS"};
    }
    if (const long value = openmp_threads())
        return {value, "OMP_NUM_THREADS"};
    long cpus = affinity_cpus();
    const double quota = cgroup_cpus();
    if (quota > 0)
        cpus = std::min(cpus, std::max(1L, std::lround(std::ceil(quota))));
    return {std::min(cpus, maximum_threads), "the CPUs of the process"};
}

std::atomic<long> configured_threads{0};
// Of those: stored before them, so that whoever sees a number finds where it came from.
std::atomic<const char*> configured_source{""};

thread_local bool inside_chunk = false;

// Waits for `ready` without sleeping, for as long as the layers of a network are apart: to wake a
// sleeping thread takes longer than many a layer.
template <class F> void spin_until(const F& ready) {
    constexpr std::chrono::microseconds patience{50};
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!ready()) {
        for (int i = 0; i < 32; ++i) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
        }
        if (std::chrono::steady_clock::now() > end)
            return;
    }
}

struct job {
    detail::chunk_function function;
    void* context;
    long n;
    long chunks;
    long next = 0;
    std::atomic<long> unfinished{0};
    long failed_chunk = 0;
    std::exception_ptr error{};
    std::condition_variable done{};

    void run(long chunk) {
        // Split so that the first n % chunks chunks hold one element more.
        const long size = n / chunks;
        const long longer = n % chunks;
        const long begin = chunk * size + std::min(chunk, longer);
        function(context, chunk, begin, begin + size + (chunk < longer ? 1 : 0));
    }
};

class pool {
  public:
    void run(job& work) {
        std::unique_lock<std::mutex> lock(mutex_);
        grow(work.chunks - 1);
        work.unfinished = work.chunks;
        jobs_.push_back(&work);
        waiting_jobs_ = static_cast<long>(jobs_.size());
        if (work.chunks == 2)
            wake_.notify_one();
        else
            wake_.notify_all();
        // The caller never depends on a worker being free, so concurrent callers cannot deadlock.
        while (work.next < work.chunks)
            run_next(work, lock);
        if (work.unfinished != 0) {
            lock.unlock();
            spin_until([&] { return work.unfinished == 0; });
            lock.lock(); // also where it is 0: the worker that made it so still holds the lock
        }
        work.done.wait(lock, [&] { return work.unfinished == 0; });
    }

    long take_cores() {
        std::unique_lock<std::mutex> lock(mutex_);
        const long ticket = next_ticket_++;
        freed_.wait(lock, [&] { return ticket == served_ && taken_ < threads(); });
        const long waiting = next_ticket_ - served_; // this one among them
        const long count = std::max(1L, (threads() - taken_) / waiting);
        taken_ += count;
        ++served_;
        freed_.notify_all();
        return count;
    }

    void give_back_cores(long count) {
        const std::lock_guard<std::mutex> lock(mutex_);
        taken_ -= count;
        freed_.notify_all();
    }

  private:
    void grow(long workers) {
        while (workers_ < workers) {
            try {
                std::thread([this] { serve(); }).detach();
            } catch (const std::system_error&) {
                // At the system's limit of threads the caller does the remaining chunks itself.
                return;
            }
            ++workers_;
        }
    }

    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            if (jobs_.empty()) {
                lock.unlock();
                spin_until([&] { return waiting_jobs_ != 0; });
                lock.lock();
            }
            wake_.wait(lock, [&] { return !jobs_.empty(); });
            run_next(*jobs_.front(), lock);
        }
    }

    void run_next(job& work, std::unique_lock<std::mutex>& lock) {
        const long chunk = work.next++;
        if (work.next == work.chunks) {
            jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &work));
            waiting_jobs_ = static_cast<long>(jobs_.size());
        }
        lock.unlock();
        std::exception_ptr error;
        inside_chunk = true;
        try {
            work.run(chunk);
        } catch (...) {
            error = std::current_exception();
        }
        inside_chunk = false;
        lock.lock();
        if (error && (!work.error || chunk < work.failed_chunk)) {
            work.error = error;
            work.failed_chunk = chunk;
        }
        if (--work.unfinished == 0)
            work.done.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<job*> jobs_;
    std::atomic<long> waiting_jobs_{0}; // their number, to be read without the lock
    long workers_ = 0;

    std::condition_variable freed_;
    long taken_ = 0;
    // Those who wait for a core are served in the order in which they came.
    long next_ticket_ = 0, served_ = 0;
};

// Never destroyed: a worker may still wait on it while the process exits, and a forked child must
// abandon its parent's (whose workers do not exist there).
std::atomic<pool*> current_pool{nullptr};

pool& get_pool() {
    if (pool* existing = current_pool.load(std::memory_order_acquire))
        return *existing;
#if defined(__unix__) || defined(__APPLE__)
    static const int registered =
        pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });
    if (registered != 0)
        throw std::system_error(registered, std::generic_category(), "pthread_atfork");
#endif
    auto created = std::make_unique<pool>();
    pool* expected = nullptr;
    if (current_pool.compare_exchange_strong(expected, created.get()))
        return *created.release();
    return *expected;
}

} // namespace

core_share::core_share() : pool_(&get_pool()), count_(static_cast<pool*>(pool_)->take_cores()) {}
core_share::~core_share() { static_cast<pool*>(pool_)->give_back_cores(count_); }

long threads() {
    long count = configured_threads.load(std::memory_order_acquire);
    if (count == 0) {
        const thread_count initial = default_threads();
        const char* none = "";
        configured_source.compare_exchange_strong(none, initial.source);
        if (configured_threads.compare_exchange_strong(count, initial.count))
            count = initial.count;
    }
    return count;
}

std::string threads_source() {
    threads();
    return configured_source.load();
}

void set_threads(long count) {
    if (count < 1 || count > maximum_threads)
        throw std::invalid_argument("the number of threads must be from 1 to 1024, not " +
                                    std::to_string(count));
    configured_source.store("the program");
    configured_threads.store(count);
}

void detail::run_chunks(long n, chunk_function function, void* context) {
    if (n <= 0)
        return;
    const long chunks = std::min(n, threads());
    job work{function, context, n, chunks};
    if (chunks == 1 || inside_chunk) {
        for (long chunk = 0; chunk < chunks; ++chunk)
            work.run(chunk);
        return;
    }
    get_pool().run(work);
    if (work.error)
        std::rethrow_exception(work.error);
}

} // namespace ffgan
