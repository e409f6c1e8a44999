# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finds CUDA's compiler and libraries, also in NVIDIA's Python packages: nvidia-cublas and the like
# put headers and libraries of CUDA 13 and later into site-packages/nvidia/cu13, and nvidia-cudnn-cu13
# into nvidia/cudnn. They hold no links without a version (libcublas.so), by which CMake and linkers
# look for a library, so their files are named in full here. Needs Python_EXECUTABLE.

# An isolated build hides the environment's packages from sys.path, and not from sysconfig.
execute_process(
    COMMAND
        ${Python_EXECUTABLE} -c
        "import site, sys, sysconfig
paths = [*sys.path, *map(sysconfig.get_path, ('purelib', 'platlib')), *site.getsitepackages()]
print(*dict.fromkeys(p for p in paths if p), sep=';')"
    OUTPUT_VARIABLE _site_folders
    OUTPUT_STRIP_TRAILING_WHITESPACE)

# Sets `result` to the library that `pattern` finds in the first of the folders that has one.
function(_library_in result pattern)
    set(${result} "" PARENT_SCOPE)
    foreach(folder IN LISTS ARGN)
        file(GLOB found "${folder}/${pattern}")
        if(found)
            list(GET found 0 found)
            set(${result} "${found}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

# find_package(CUDAToolkit), of this machine or else of the packages.
macro(ffgan_find_cuda_toolkit)
    find_package(CUDAToolkit QUIET)
    if(NOT CUDAToolkit_FOUND)
        find_program(_nvcc nvcc HINTS "${CUDAToolkit_ROOT}/bin" NO_CACHE)
        cmake_path(SET _roots NORMALIZE "${_nvcc}/../..")
        foreach(_folder IN LISTS _site_folders)
            file(GLOB _found "${_folder}/nvidia/cu[0-9]*")
            list(APPEND _roots ${_found})
        endforeach()
        foreach(_root IN LISTS _roots)
            _library_in(_runtime "libcudart.so*" "${_root}/lib")
            if(EXISTS "${_root}/bin/nvcc" AND _runtime)
                set(CUDAToolkit_ROOT "${_root}")
                # nvcc itself looks in lib64.
                set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -L${_root}/lib")
                set(CUDA_CUDART "${_runtime}" CACHE FILEPATH "CUDA's runtime library" FORCE)
                set(CUDA_cudart_LIBRARY "${_runtime}" CACHE FILEPATH "CUDA's runtime library" FORCE)
                find_package(CUDAToolkit QUIET)
                break()
            endif()
        endforeach()
    endif()
endmacro()

# Adds what dlib needs and the toolkit lacks, from packages of its major version; sets `missing` to
# what neither has.
function(ffgan_complete_cuda_toolkit missing)
    list(TRANSFORM _site_folders APPEND "/nvidia/cu${CUDAToolkit_VERSION_MAJOR}/lib"
         OUTPUT_VARIABLE folders)
    set(not_found)
    foreach(name cublas curand cusolver)
        if(TARGET CUDA::${name})
            get_target_property(library CUDA::${name} IMPORTED_LOCATION)
        else()
            _library_in(library "lib${name}.so*" ${folders})
            if(library)
                add_library(CUDA::${name} UNKNOWN IMPORTED GLOBAL)
                set_property(TARGET CUDA::${name} PROPERTY IMPORTED_LOCATION "${library}")
                cmake_path(GET library PARENT_PATH folder)
                list(APPEND FFGAN_CUDA_INCLUDE_DIRS "${folder}/../include")
            endif()
        endif()
        if(library)
            cmake_path(GET library PARENT_PATH folder)
            list(APPEND FFGAN_CUDA_RUNTIME_PATHS "${folder}")
        else()
            list(APPEND not_found ${name})
        endif()
    endforeach()
    list(REMOVE_DUPLICATES FFGAN_CUDA_INCLUDE_DIRS)
    set(FFGAN_CUDA_INCLUDE_DIRS "${FFGAN_CUDA_INCLUDE_DIRS}" PARENT_SCOPE)
    set(FFGAN_CUDA_RUNTIME_PATHS "${FFGAN_CUDA_RUNTIME_PATHS}" PARENT_SCOPE)
    set(${missing} "${not_found}" PARENT_SCOPE)
endfunction()

# Sets the two cache variables to the folder of cudnn.h and to cuDNN's library: CUDNN_ROOT's, the
# machine's, or the package's.
function(ffgan_find_cudnn include library)
    # The package of another CUDA has the same folder.
    set(folders ${CUDNN_ROOT})
    set(packages)
    foreach(folder IN LISTS _site_folders)
        file(GLOB information
             "${folder}/nvidia_cudnn_cu${CUDAToolkit_VERSION_MAJOR}-*.dist-info")
        if(information)
            list(APPEND packages "${folder}/nvidia/cudnn")
        endif()
    endforeach()
    list(TRANSFORM folders APPEND "/lib")
    _library_in(given "libcudnn.so*" ${folders})
    if(given)
        set(${library} "${given}" CACHE FILEPATH "cuDNN's library")
    endif()
    find_path(${include} cudnn.h HINTS "${CUDNN_ROOT}/include" ${CUDAToolkit_INCLUDE_DIRS})
    find_library(${library} cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
    if(NOT ${include} OR NOT ${library})
        list(TRANSFORM packages APPEND "/lib" OUTPUT_VARIABLE folders)
        _library_in(given "libcudnn.so*" ${folders})
        if(given)
            cmake_path(GET given PARENT_PATH folder)
            cmake_path(SET folder NORMALIZE "${folder}/../include")
            set(${library} "${given}" CACHE FILEPATH "cuDNN's library" FORCE)
            set(${include} "${folder}" CACHE PATH "The folder of cudnn.h" FORCE)
        endif()
    endif()
    mark_as_advanced(${include} ${library})
endfunction()
