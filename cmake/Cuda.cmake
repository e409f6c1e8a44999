# SPDX-License-Identifier: GPL-3.0-or-later
#
# Decides whether dlib is compiled for CUDA; sets FFGAN_USE_CUDA and FFGAN_CUDA_RUNTIME_PATHS, the
# folders of the libraries. A dlib compiled for CUDA cannot run without a GPU, so AUTO takes CUDA only
# where a GPU is visible: a compiler and libraries alone (a build server's) do not make a machine that
# could run the result.

set(FFGAN_CUDA
    "AUTO"
    CACHE STRING "AUTO (ON where toolkit, cuDNN and a GPU are found), ON, or OFF")
set_property(CACHE FFGAN_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT FFGAN_CUDA MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "FFGAN_CUDA=${FFGAN_CUDA}: choose AUTO, ON or OFF.")
endif()

set(FFGAN_USE_CUDA OFF)
set(FFGAN_CUDA_RUNTIME_PATHS "")
if(FFGAN_CUDA MATCHES "AUTO|ON")
    set(_reason "")
    file(GLOB _gpus "/dev/nvidia[0-9]*" "/dev/dxg")
    find_package(CUDAToolkit QUIET)
    # The name under which dlib's own FindCUDNN looks, so that it finds the same.
    find_path(CUDNN_INCLUDE_PATH cudnn.h HINTS "${CUDNN_ROOT}/include" ${CUDAToolkit_INCLUDE_DIRS})
    find_library(CUDNN_LIBRARY_PATH cudnn HINTS "${CUDNN_ROOT}/lib" ${CUDAToolkit_LIBRARY_DIR})
    mark_as_advanced(CUDNN_INCLUDE_PATH CUDNN_LIBRARY_PATH)
    if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
        set(_reason "no CUDA toolkit was found: give -DCUDAToolkit_ROOT=DIR")
    elseif(NOT TARGET CUDA::cublas OR NOT TARGET CUDA::curand OR NOT TARGET CUDA::cusolver)
        set(_reason "the CUDA toolkit at ${CUDAToolkit_BIN_DIR} lacks cuBLAS, cuRAND or cuSOLVER")
    elseif(NOT CUDNN_INCLUDE_PATH OR NOT CUDNN_LIBRARY_PATH)
        set(_reason "cuDNN (cudnn.h and libcudnn.so) was not found: give -DCUDNN_ROOT=DIR")
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
        set(FFGAN_CUDA_RUNTIME_PATHS "${_cudnn_folder}" ${CUDAToolkit_LIBRARY_DIR})
    elseif(FFGAN_CUDA STREQUAL "ON")
        message(FATAL_ERROR "FFGAN_CUDA=ON, but ${_reason}. See docs/cuda.md.")
    endif()
    message(STATUS "CUDA: ${FFGAN_USE_CUDA} ${_reason}")
else()
    message(STATUS "CUDA: OFF")
endif()
