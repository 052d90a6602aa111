# cmake -DIN=<file> -DOUT=<file.c> -DNAME=<name> -P embed.cmake
# Writes a C file that defines <name>_text and <name>_len: the text of a file.
file(READ ${IN} text)
string(LENGTH "${text}" len)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
get_filename_component(file ${IN} NAME)
file(WRITE ${OUT} "/* Generated from ${file}. */
#include <stddef.h>

extern const char ${NAME}_text[];
extern const size_t ${NAME}_len;
const char ${NAME}_text[] =
    \"${text}\";
const size_t ${NAME}_len = ${len};
")
