# The binding: a shared object named appshot.node, built against the headers of the Node.js that will load it.
find_program(NODE_EXECUTABLE NAMES node nodejs)
if(NOT NODE_EXECUTABLE)
  message(WARNING "node is not on the PATH: the binding is not built")
  return()
endif()

execute_process(COMMAND ${NODE_EXECUTABLE} -p "require('path').resolve(require('fs').realpathSync(process.execPath), '../../include/node')"
  OUTPUT_VARIABLE NODE_BESIDE OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${NODE_EXECUTABLE} -p "process.versions.node" OUTPUT_VARIABLE NODE_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE)
find_path(NODE_INCLUDE node_api.h NO_DEFAULT_PATH
  PATHS ${NODE_BESIDE} /usr/include/node $ENV{HOME}/.cache/node-gyp/${NODE_VERSION}/include/node)
if(NOT NODE_INCLUDE)
  message(FATAL_ERROR "Node.js headers not found beside ${NODE_EXECUTABLE}, in /usr/include/node or in ~/.cache/node-gyp/${NODE_VERSION}: "
    "run `npx node-gyp install`")
endif()

execute_process(COMMAND ${NODE_EXECUTABLE} -p "require('node-addon-api').include_dir" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/binding
  OUTPUT_VARIABLE NODE_ADDON_API OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT NODE_ADDON_API)
  message(FATAL_ERROR "node-addon-api is not installed: run `pnpm install` first")
endif()
get_filename_component(NODE_ADDON_API ${NODE_ADDON_API} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR}/binding)

file(GLOB BINDING_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/binding/src/*.cc)
add_library(appshot_node MODULE ${BINDING_SOURCES})
target_include_directories(appshot_node SYSTEM PRIVATE ${NODE_INCLUDE} ${NODE_ADDON_API})
target_compile_definitions(appshot_node PRIVATE NAPI_VERSION=8 NODE_ADDON_API_DISABLE_DEPRECATED NAPI_CPP_EXCEPTIONS BUILDING_NODE_EXTENSION)
target_link_libraries(appshot_node PRIVATE appshot_keeper)
set_target_properties(appshot_node PROPERTIES PREFIX "" OUTPUT_NAME "appshot" SUFFIX ".node")
