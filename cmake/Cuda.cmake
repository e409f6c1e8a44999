# SPDX-License-Identifier: GPL-3.0-or-later
#
# Decides whether dlib is compiled for CUDA; sets FFGAN_USE_CUDA, FFGAN_CUDA_INCLUDE_DIRS and
# FFGAN_CUDA_RUNTIME_PATHS, the folders of the libraries. What the toolkit lacks is taken from
# NVIDIA's Python packages (CudaPackages). A dlib compiled for CUDA cannot run without a GPU, so
# AUTO takes CUDA only where a GPU is visible: a compiler and libraries alone (a build server's) do
# not make a machine that could run the result.

set(FFGAN_CUDA
    "AUTO"
    CACHE STRING "AUTO (ON where toolkit, cuDNN and a GPU are found), ON, or OFF")
set_property(CACHE FFGAN_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT FFGAN_CUDA MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "FFGAN_CUDA=${FFGAN_CUDA}: choose AUTO, ON or OFF.")
endif()

set(FFGAN_USE_CUDA OFF)
set(FFGAN_CUDA_INCLUDE_DIRS "")
set(FFGAN_CUDA_RUNTIME_PATHS "")
if(FFGAN_CUDA MATCHES "AUTO|ON")
    include(CudaPackages)
    set(_reason "")
    set(_missing "")
    file(GLOB _gpus "/dev/nvidia[0-9]*" "/dev/dxg")
    ffgan_find_cuda_toolkit()
    if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
        set(_reason "no CUDA toolkit was found: give -DCUDAToolkit_ROOT=DIR")
    else()
        ffgan_complete_cuda_toolkit(_missing)
        # The names under which dlib's own FindCUDNN looks, so that it finds the same.
        ffgan_find_cudnn(CUDNN_INCLUDE_PATH CUDNN_LIBRARY_PATH)
    endif()
    if(_reason)
    elseif(_missing)
        list(JOIN _missing " and " _missing)
        set(_reason "neither the CUDA toolkit at ${CUDAToolkit_BIN_DIR} nor a Python package of"
                    " CUDA ${CUDAToolkit_VERSION_MAJOR} holds ${_missing}: pip install"
                    " nvidia-cublas, nvidia-curand, nvidia-cusolver")
        string(REPLACE ";" "" _reason "${_reason}")
    elseif(NOT CUDNN_INCLUDE_PATH OR NOT CUDNN_LIBRARY_PATH)
        set(_reason "cuDNN (cudnn.h and libcudnn.so) was not found: pip install"
                    " nvidia-cudnn-cu${CUDAToolkit_VERSION_MAJOR}, or give -DCUDNN_ROOT=DIR")
        string(REPLACE ";" "" _reason "${_reason}")
    elseif(NOT _gpus AND FFGAN_CUDA STREQUAL "AUTO")
        set(_reason "no GPU is visible on this machine")
    elseif(NOT _gpus AND NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND "$ENV{CUDAARCHS}" STREQUAL "")
        set(_reason "no GPU is visible to compile for: give -DCMAKE_CUDA_ARCHITECTURES=NUMBER")
    endif()

    if(NOT _reason)
        set(FFGAN_USE_CUDA ON)
        if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND "$ENV{CUDAARCHS}" STREQUAL "")
            set(CMAKE_CUDA_ARCHITECTURES native)
        endif()
        set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}")
        enable_language(CUDA)
        cmake_path(GET CUDNN_LIBRARY_PATH PARENT_PATH _cudnn_folder)
        list(APPEND FFGAN_CUDA_RUNTIME_PATHS "${_cudnn_folder}" ${CUDAToolkit_LIBRARY_DIR})
        list(REMOVE_DUPLICATES FFGAN_CUDA_RUNTIME_PATHS)
        message(STATUS "CUDA: ON, ${CUDAToolkit_VERSION} at ${CUDAToolkit_BIN_DIR}, cuDNN"
                       " ${CUDNN_LIBRARY_PATH}, for ${CMAKE_CUDA_ARCHITECTURES}")
        if(FFGAN_CUDA STREQUAL "AUTO")
            message(STATUS "CUDA was taken because this machine has a GPU (FFGAN_CUDA=AUTO); the"
                           " build will need one. FFGAN_CUDA=OFF builds for the processor")
        endif()
    elseif(FFGAN_CUDA STREQUAL "ON")
        message(FATAL_ERROR "FFGAN_CUDA=ON, but ${_reason}. See docs/cuda.md.")
    else()
        message(STATUS "CUDA: OFF, ${_reason}")
    endif()
else()
    message(STATUS "CUDA: OFF")
endif()
