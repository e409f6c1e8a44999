# SPDX-License-Identifier: GPL-3.0-or-later
"""What the errors of a GPU become, also in a build that has none: texts as dlib makes them."""

from __future__ import annotations

import pytest

from ffgan import _core
from ffgan.errors import DeviceError, Error

DLIB = (
    "Error while calling {call} in file /dlib/cuda/gpu_data.cpp:213. code: {code}, reason: {reason}"
)


def explained(call: str, code: int, reason: str) -> str:
    with pytest.raises(DeviceError) as error:
        _core._testing.raise_cuda_error(DLIB.format(call=call, code=code, reason=reason))
    assert isinstance(error.value, Error)
    assert "\n" not in str(error.value) and "gpu_data.cpp" not in str(error.value)
    return str(error.value)


def test_full_memory_names_the_batch() -> None:
    message = explained("cudaMalloc(&data, new_size*sizeof(float))", 2, "out of memory")
    assert message.startswith("the GPU's memory is full (cudaMalloc): use a smaller batch")
    # cuDNN 9 has a number for it that dlib does not know.
    assert "the GPU's memory is full" in explained(
        "cudnnConvolutionForward( context(), &alpha)", 4004, "A call to cuDNN failed"
    )
    assert "the GPU's memory is full" in explained(
        "cublasCreate(&handle)", 3, "CUDA Resources could not be allocated."
    )


def test_full_memory_of_the_host_is_told_apart() -> None:
    message = explained("cudaMallocHost(&data, new_size*sizeof(float))", 2, "out of memory")
    assert "host" in message and "smaller batch" in message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (35, "CUDA driver version is insufficient for CUDA runtime version"),
        (100, "no CUDA-capable device is detected"),
    ],
)
def test_a_machine_without_a_gpu_is_told_to_build_for_the_cpu(code: int, reason: str) -> None:
    message = explained("cudaGetDeviceCount(&num_devices)", code, reason)
    assert reason in message and "FFGAN_CUDA=OFF" in message


def test_another_failure_keeps_its_reason() -> None:
    message = explained("cudaMemcpy(dest, src)", 700, "an illegal memory access was encountered")
    assert "an illegal memory access was encountered (cudaMemcpy)" in message
    assert "nvidia-smi" in message
    # The number of another library means something else.
    assert "CPU" not in explained("cudnnCreate(&handle)", 35, "A call to cuDNN failed")
