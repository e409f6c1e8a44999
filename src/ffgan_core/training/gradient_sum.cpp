// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/gradient_sum.h"

#include "base/threads.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace ffgan {
namespace {

constexpr long bucket_size =
    1L << 19; // numbers that are worth being sent while others are computed

long size_of(const layer_parameters& layer) {
    return static_cast<long>(layer.values->size()); // the gradient has none before the first pass
}

// The gradients of layers [first, end), one after the other, then zeros up to a multiple of the
// ranks.
struct bucket {
    std::size_t first, end;
    std::vector<float> own, received;
};

// Each rank's `own` numbers become the sums. beside: while this process computes, on its cores.
void add_up_bucket(bucket& of, communicator& with, bool beside) {
    const long count = with.size(), length = static_cast<long>(of.own.size()) / count;
    const std::size_t bytes = static_cast<std::size_t>(length) * sizeof(float);
    of.received.resize(of.own.size());
    with.exchange(of.own.data(), bytes, of.received.data());
    float* sums = of.received.data(); // in the place of the first rank's part
    const auto add_up = [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            double sum = sums[i];
            for (long rank = 1; rank < count; ++rank)
                sum += sums[rank * length + i];
            sums[i] = static_cast<float>(sum);
        }
    };
    if (beside)
        add_up(0, 0, length);
    else
        parallel_chunks(length, add_up);
    with.gather(sums, bytes, of.own.data());
}

} // namespace

// What a thread adds up beside a pass.
struct gradient_sum::carried {
    std::vector<bucket> buckets;
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t ready = 0, done = 0; // buckets
    bool given_up = false;
    std::exception_ptr error;
    std::thread thread;

    void run(communicator& with) {
        try {
            for (bucket& one : buckets) {
                {
                    std::unique_lock lock(mutex);
                    changed.wait(lock, [&] { return given_up || ready > done; });
                    if (given_up)
                        return;
                }
                add_up_bucket(one, with, true);
                const std::lock_guard lock(mutex);
                ++done;
                changed.notify_all();
            }
        } catch (...) {
            const std::lock_guard lock(mutex);
            error = std::current_exception();
            changed.notify_all();
        }
    }

    void give_up() {
        {
            const std::lock_guard lock(mutex);
            given_up = true;
            changed.notify_all();
        }
        thread.detach(); // it may wait for ranks that do not come
    }
};

gradient_sum::gradient_sum(const ranks& all)
    : all_(all), apart_(all.alone() ? nullptr : all.all()->apart()) {}

gradient_sum::~gradient_sum() {
    if (carried_ != nullptr && carried_->thread.joinable())
        carried_->give_up();
}

dlib::tensor& gradient_sum::backward(network& net, const dlib::tensor& x, dlib::tensor& gradient,
                                     gradient_memory& memory) {
    if (all_.alone())
        return net.backward(x, gradient, memory);
    begin(last_first(net.parameter_tensors()));
    net.set_gradient_listener(this);
    dlib::tensor& result = net.backward(x, gradient, memory);
    net.set_gradient_listener(nullptr);
    finish();
    return result;
}

void gradient_sum::begin(std::vector<layer_parameters> layers) {
    if (all_.alone())
        return;
    layers_ = std::move(layers);
    ready_ = 0;
    if (apart_ == nullptr)
        return;
    divide(true);
    carried_->thread = std::thread([with = apart_, carried = carried_] { carried->run(*with); });
}

void gradient_sum::divide(bool in_buckets) {
    if (carried_ != nullptr && carried_->thread.joinable()) { // an exception has ended the last one
        carried_->give_up();
        carried_ = nullptr;
    }
    if (carried_ == nullptr)
        carried_ = std::make_shared<carried>();
    std::vector<bucket>& buckets = carried_->buckets;
    std::size_t number = 0, first = 0;
    long size = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        size += size_of(layers_[i]);
        if (i + 1 < layers_.size() && !(in_buckets && size >= bucket_size))
            continue;
        if (number == buckets.size())
            buckets.emplace_back();
        bucket& one = buckets[number++];
        one.first = first;
        one.end = i + 1;
        const long count = all_.count();
        one.own.resize(static_cast<std::size_t>((size + count - 1) / count * count));
        std::fill(one.own.begin() + size, one.own.end(), 0.0f);
        first = i + 1;
        size = 0;
    }
    buckets.resize(number);
    carried_->ready = carried_->done = 0;
}

void gradient_sum::ready(dlib::tensor& gradient) {
    if (all_.alone())
        return;
    if (ready_ >= layers_.size() || layers_[ready_].gradient != &gradient)
        throw std::logic_error("gradients come in another order than was said");
    ++ready_;
    if (apart_ == nullptr)
        return;
    const std::size_t number = carried_->ready; // which only this thread changes
    if (ready_ < carried_->buckets[number].end)
        return;
    copy(number, false);
    const std::lock_guard lock(carried_->mutex);
    ++carried_->ready;
    carried_->changed.notify_all();
}

void gradient_sum::finish() {
    if (all_.alone())
        return;
    if (ready_ != layers_.size())
        throw std::logic_error("gradients are missing");
    if (apart_ == nullptr) {
        add_up(std::move(layers_));
        return;
    }
    const auto began = std::chrono::steady_clock::now();
    {
        std::unique_lock lock(carried_->mutex);
        carried_->changed.wait(lock, [&] {
            return carried_->error != nullptr || carried_->done == carried_->buckets.size();
        });
    }
    carried_->thread.join();
    if (carried_->error != nullptr)
        std::rethrow_exception(std::exchange(carried_->error, nullptr));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    all_.all()->waited(seconds.count());
    for (std::size_t i = 0; i < carried_->buckets.size(); ++i)
        copy(i, true);
}

void gradient_sum::add_up(std::vector<layer_parameters> layers) {
    if (all_.alone())
        return;
    layers_ = std::move(layers);
    divide(false);
    copy(0, false);
    add_up_bucket(carried_->buckets.front(), *all_.all(), false);
    copy(0, true);
}

// From the layers to a bucket, or back.
void gradient_sum::copy(std::size_t number, bool back) {
    bucket& one = carried_->buckets[number];
    std::vector<float*> places;
    float* place = one.own.data();
    for (std::size_t i = one.first; i < one.end; ++i) {
        places.push_back(place);
        place += size_of(layers_[i]);
    }
    parallel_chunks(static_cast<long>(places.size()), [&](long, long begin, long end) {
        for (long k = begin; k < end; ++k) {
            const std::size_t i = static_cast<std::size_t>(k);
            dlib::tensor& gradient = *layers_[one.first + i].gradient;
            if (back)
                std::copy_n(places[i], gradient.size(), gradient.host_write_only());
            else
                std::copy_n(gradient.host(), gradient.size(), places[i]);
        }
    });
}

std::vector<layer_parameters> last_first(std::vector<layer_parameters> layers) {
    std::reverse(layers.begin(), layers.end());
    return layers;
}

} // namespace ffgan
