#include "../door-sites/main.c"
