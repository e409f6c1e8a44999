# SPDX-License-Identifier: GPL-3.0-or-later
#
# Compiles vector code once for each instruction set. An inline function of the standard library
# that was compiled for AVX-512 must never be merged with the same one of the rest, which runs
# everywhere: so the objects of a set are linked into one, in which every symbol but its table of
# functions is made local.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    set(_instruction_sets avx512 avx2 sse4.2) # the best first
    set(_options_of_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
    set(_options_of_avx2 -mavx2 -mfma) # what dispatch/instruction_set.cpp asks the processor for
    set(_options_of_sse4.2 -mcx16 -msahf -mpopcnt -msse4.2)
    list(APPEND _options_of_avx2 ${_options_of_sse4.2})
    list(APPEND _options_of_avx512 ${_options_of_avx2})
    # dlib has no types for it, and what the compiler does by itself takes 1.08 of the time.
    set_source_files_properties(kernels/face_scan.cpp PROPERTIES COMPILE_OPTIONS -mno-avx512f)
    if(FFGAN_ARCH STREQUAL "baseline")
        list(APPEND _instruction_sets portable) # for processors without SSE4.2
    endif()
    # No set of its own, since it gives other values: what is asked for it (dispatch/bf16.h).
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag(-mavx512bf16 FFGAN_COMPILER_HAS_BF16)
    set(_options_of_avx512_bf16 ${_options_of_avx512} -mavx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    set(_instruction_sets neon) # a part of the architecture
else()
    set(_instruction_sets portable)
endif()

# Compiles the sources given for one instruction set, and adds them to `target` as one object in which
# only the table of functions, ffgan_kernels_<identifier>, can be seen.
function(_ffgan_add_kernel_object target set identifier)
    set(name ${target}_${identifier})
    add_library(${name} OBJECT ${ARGN})
    # Those of the rest name the baseline, which may be more than this set is.
    get_target_property(options ${name} COMPILE_OPTIONS)
    list(REMOVE_ITEM options ${FFGAN_BASELINE_OPTIONS})
    set_property(TARGET ${name} PROPERTY COMPILE_OPTIONS ${options} ${_options_of_${set}})
    # objcopy leaves symbols that are unique in the process global.
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic
                                           $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
    target_compile_definitions(${name} PRIVATE FFGAN_INSTRUCTION_SET=${identifier})
    target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(${name} PRIVATE ffgan_blas)
    # dlib's headers, without the instructions that an installed dlib asks for.
    target_include_directories(
        ${name} SYSTEM PRIVATE $<TARGET_PROPERTY:dlib::dlib,INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(
        ${name} PRIVATE $<TARGET_PROPERTY:dlib::dlib,INTERFACE_COMPILE_DEFINITIONS>)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/kernels_${identifier}.o")
    # Groups of sections that may be merged by their name would undo it.
    add_custom_command(
        OUTPUT "${object}"
        COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o "${object}.all"
                $<TARGET_OBJECTS:${name}>
        COMMAND ${CMAKE_OBJCOPY} --keep-global-symbol=ffgan_kernels_${identifier} "${object}.all"
                "${object}"
        DEPENDS ${name} $<TARGET_OBJECTS:${name}>
        COMMAND_EXPAND_LISTS VERBATIM
        COMMENT "Linking the kernels for ${set}")
    set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE "${object}")
endfunction()

# Adds `sources` to `target`, compiled for each instruction set, and a file that lists these for
# dispatch/instruction_set.cpp.
function(ffgan_add_kernels target)
    set(list "")
    foreach(set IN LISTS _instruction_sets)
        string(REPLACE "." "_" identifier "${set}")
        _ffgan_add_kernel_object(${target} ${set} ${identifier} ${ARGN})
        string(APPEND list "INSTRUCTION_SET(${identifier}, \"${set}\")\n")
    endforeach()
    file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/lists/instruction_sets.inc" CONTENT "${list}"
         @ONLY)
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/lists")
endfunction()

# Adds `sources` to `target`, compiled for AVX-512 with products of bf16, where the compiler can.
function(ffgan_add_bf16_kernels target)
    if(FFGAN_COMPILER_HAS_BF16)
        _ffgan_add_kernel_object(${target} avx512_bf16 avx512_bf16 ${ARGN})
        target_compile_definitions(${target} PRIVATE FFGAN_COMPILED_FOR_BF16)
    endif()
endfunction()
