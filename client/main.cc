// Nothing but the entry point: the rest is in a library that was compiled with the shared header.
#include "client/program.h"

int main(int argc, char** argv) { return attend::client::RunProgram(argc, argv); }
