# attend_embed(NAME <target> NAMESPACE <namespace> HEADER <header> FILES <files>)
# A static library with the text of each file as a constant of the header: page.html is kPageHtml, declared there as
#   extern const std::string_view kPageHtml;
# The files are written into a .cc as raw string literals, by CMake itself when one of them changes.
function(attend_embed)
  cmake_parse_arguments(A "" "NAME;NAMESPACE;HEADER" "FILES" ${ARGN})
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${A_NAME}.cc)
  set(sources)
  foreach(file ${A_FILES})
    list(APPEND sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  string(REPLACE ";" "|" joined "${sources}")
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${generated} -DNAMESPACE=${A_NAMESPACE} -DHEADER=${A_HEADER} -DFILES=${joined}
            -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake VERBATIM)
  attend_library(NAME ${A_NAME} SRCS ${generated})
endfunction()
