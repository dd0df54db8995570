# The CUDA language, for builds with OCTET_CUDA. nvcc is taken from the path, else from where
# CUDA's installer puts it.
find_program(OCTET_NVCC nvcc HINTS /usr/local/cuda/bin)
if(NOT OCTET_NVCC)
  message(FATAL_ERROR "OCTET_CUDA: expected nvcc 13 in the path or in /usr/local/cuda/bin, found "
                      "none; install the CUDA toolkit, or configure without OCTET_CUDA")
endif()
set(CMAKE_CUDA_COMPILER ${OCTET_NVCC})
# GPUs that the program has machine code for, as CMake names them; the preset cuda-release has more.
set(OCTET_CUDA_ARCHITECTURES 90a-real CACHE STRING "GPUs to compile for, e.g. 80-real;90a-real;100")
set(CMAKE_CUDA_ARCHITECTURES 90a-real)
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.0)
  message(FATAL_ERROR "OCTET_CUDA: expected nvcc 13 or newer, found ${CMAKE_CUDA_COMPILER_VERSION}")
endif()
# CMake 3.25 does not know that nvcc 13 speaks C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
find_package(CUDAToolkit REQUIRED)
# One program for machines with and without a compiler: only glibc and the driver stay outside.
add_link_options(-static-libstdc++ -static-libgcc)

# octet_cuda_same_names(TARGET): nvcc puts a hash of each source's absolute path into the names of
# kernels without linkage. It is told another path, the same wherever the sources lie.
function(octet_cuda_same_names target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cu$")
  foreach(source ${sources})
    set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS
      -Xcudafe=--orig_src_path_name=/octet/${target}/${source})
  endforeach()
endfunction()
